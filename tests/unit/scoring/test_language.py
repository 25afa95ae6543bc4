"""Languages told apart by the shipped model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from triage.errors import ModelRefused
from triage.scoring.language import NOBODY_KNOWS, LanguageModel

FOLDER = Path(__file__).parents[3] / "models" / "language"
SENTENCES = {
    "en": "The invoice is wrong and nobody has called me back since last week.",
    "de": "Die Rechnung stimmt nicht und seit letzter Woche hat sich niemand gemeldet.",
    "fr": "La facture est fausse et personne ne m'a rappelé depuis la semaine dernière.",
    "es": "La factura está mal y nadie me ha llamado desde la semana pasada.",
    "it": "La fattura è sbagliata e nessuno mi ha richiamato dalla settimana scorsa.",
    "pt": "A fatura está errada e ninguém me ligou desde a semana passada, obrigado.",
    "nl": "De factuur klopt niet en niemand heeft mij sinds vorige week teruggebeld.",
    "pl": "Faktura jest błędna i nikt do mnie nie oddzwonił od zeszłego tygodnia.",
    "sv": "Fakturan är fel och ingen har ringt tillbaka sedan förra veckan.",
    "fi": "Lasku on väärin eikä kukaan ole soittanut takaisin viime viikosta lähtien.",
    "cs": "Faktura je špatně a nikdo mi od minulého týdne nezavolal zpět.",
    "tr": "Fatura yanlış ve geçen haftadan beri kimse beni geri aramadı.",
    "ru": "Счёт неверный, и с прошлой недели мне никто не перезвонил.",
    "el": "Το τιμολόγιο είναι λάθος και κανείς δεν με κάλεσε.",
    "ar": "الفاتورة خاطئة ولم يتصل بي أحد منذ الأسبوع الماضي",
    "hi": "बिल गलत है और पिछले हफ्ते से किसी ने मुझे फोन नहीं किया",
    "ja": "請求書が間違っていて、先週から誰も電話をくれません。",
    "zh": "发票有误，上周以来没有人给我回电话。",
    "ko": "청구서가 잘못되었고 지난주부터 아무도 전화하지 않았습니다.",
}


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel.load(FOLDER)


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_told_with_confidence(model: LanguageModel, code: str) -> None:
    found = model.identify(SENTENCES[code])
    assert found.code == code
    assert found.confidence > 0.7


@pytest.mark.parametrize("text", ["", "  ", "12345 !!!", "https://shop.example/order", "@desk #tag", "😡😡"])
def test_nothing_to_tell_by_is_undecided(model: LanguageModel, text: str) -> None:
    assert model.identify(text) == NOBODY_KNOWS


def test_a_word_or_two_is_told_with_little_confidence(model: LanguageModel) -> None:
    assert model.identify("ok super").confidence < 0.7


def test_links_and_names_do_not_count(model: LanguageModel) -> None:
    assert model.identify(f"@user {SENTENCES['de']} https://the.and.of.example/this") == model.identify(SENTENCES["de"])


def test_huge_and_odd_texts_are_read(model: LanguageModel) -> None:
    assert model.identify("Das ist nicht gut. " * 50_000).code == "de"
    assert model.identify("\ud800 lone \x00 things").confidence <= 1


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "language"
    shutil.copytree(FOLDER, folder)
    data = bytearray((folder / "language.npz").read_bytes())
    data[1000] ^= 1
    (folder / "language.npz").write_bytes(data)
    with pytest.raises(ModelRefused, match=r"language\.npz was changed"):
        LanguageModel.load(folder)


@pytest.mark.shared
def test_eight_languages_of_short_messages_are_told_apart(model: LanguageModel, shared: Path) -> None:
    import pyarrow.parquet as parquet

    table = parquet.read_table(shared / "data" / "xlmt_message.parquet").to_pydict()
    codes = {
        "arabic": "ar",
        "english": "en",
        "french": "fr",
        "german": "de",
        "italian": "it",
        "portuguese": "pt",
        "spanish": "es",
    }
    picked = [at for at in range(0, len(table["TextBody"]), 12) if table["Language"][at] in codes]
    right = [model.identify(table["TextBody"][at]).likeliest == codes[table["Language"][at]] for at in picked]
    assert sum(right) / len(right) > 0.96
