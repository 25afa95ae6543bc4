"""What customers and agents write, by language and mood. All of it is ours."""

from __future__ import annotations

import random

LANGUAGES = ("en", "de", "fr", "es")
MOODS = ("calm", "worried", "angry", "urgent", "thankful")

_SUBJECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Invoice {n} shows a wrong amount", "The total of invoice {n} is higher than our contract says."),
        ("Export of report {n} stops half way", "We start the export of report {n} and it ends after a minute."),
        ("Cannot add a colleague to workspace {n}", "The invitation to workspace {n} never arrives."),
        ("Question about plan {n}", "Which of the limits in plan {n} count per month?"),
    ),
    "de": (
        ("Rechnung {n} stimmt nicht", "Der Betrag auf Rechnung {n} ist höher als vereinbart."),
        ("Export {n} bricht ab", "Der Export {n} endet nach einer Minute mit einer leeren Datei."),
        ("Frage zum Tarif {n}", "Welche Grenzen gelten im Tarif {n} pro Monat?"),
    ),
    "fr": (
        ("Facture {n} incorrecte", "Le montant de la facture {n} dépasse notre contrat."),
        ("Export {n} interrompu", "L'export {n} s'arrête au bout d'une minute."),
    ),
    "es": (
        ("Factura {n} equivocada", "El importe de la factura {n} es mayor que el contrato."),
        ("La exportación {n} se detiene", "La exportación {n} termina después de un minuto."),
    ),
}

_OUTAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("{product} is down", "Since a few minutes {product} is unreachable for our whole office."),
        ("Outage?", "We see an outage of {product}. Nobody here can work."),
    ),
    "de": (("Ausfall von {product}", "{product} ist seit einigen Minuten nicht erreichbar."),),
    "fr": (("Panne de {product}", "{product} est hors service depuis quelques minutes."),),
    "es": (("Caída de {product}", "{product} está fuera de servicio desde hace unos minutos."),),
}

_MESSAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "calm": ("Just to add: it happens with two other files as well.", "Here are the details you asked for."),
        "worried": ("Is there any news? We have a review on Friday.", "We are still waiting, please have a look."),
        "angry": (
            "Nobody has answered. This is not how we want to be treated.",
            "Third message, still nothing. We are losing patience and money.",
        ),
        "urgent": (
            "This is urgent. Our own customers are complaining and nobody here answers!",
            "We need this solved immediately, the deadline is today. This is unacceptable.",
        ),
        "thankful": ("Works now, thank you for the quick help!", "Perfect, that was it."),
    },
    "de": {
        "calm": ("Zur Ergänzung: es betrifft auch zwei andere Dateien.", "Hier die gewünschten Angaben."),
        "worried": ("Gibt es etwas Neues? Wir warten noch.",),
        "angry": ("Niemand meldet sich. So möchten wir nicht behandelt werden.",),
        "urgent": ("Es ist dringend, bitte sofort lösen! Wir sind sehr verärgert.",),
        "thankful": ("Jetzt geht es, vielen Dank!",),
    },
    "fr": {
        "calm": ("Voici les informations demandées.",),
        "worried": ("Avez-vous des nouvelles ? Nous attendons toujours.",),
        "angry": ("Personne ne répond. Ce service est décevant.",),
        "urgent": ("C'est urgent, il faut une solution tout de suite ! Nous sommes furieux.",),
        "thankful": ("Tout fonctionne, merci beaucoup !",),
    },
    "es": {
        "calm": ("Aquí están los datos que pidieron.",),
        "worried": ("¿Hay novedades? Seguimos esperando.",),
        "angry": ("Nadie responde. Estamos muy descontentos.",),
        "urgent": ("Es urgente, necesitamos una solución ahora mismo. Esto es inaceptable.",),
        "thankful": ("Ya funciona, ¡muchas gracias!",),
    },
}

_ANSWERS = {
    "en": "Thank you for writing. I have looked at it and will come back with the next step today.",
    "de": "Vielen Dank für Ihre Nachricht. Ich habe es mir angesehen und melde mich heute mit dem nächsten Schritt.",
    "fr": "Merci de votre message. Je m'en occupe et reviens vers vous aujourd'hui.",
    "es": "Gracias por su mensaje. Lo he revisado y le responderé hoy con el siguiente paso.",
}

_REPLIES = {
    "en": "I am out of the office until Monday and will read your message then.",
    "de": "Ich bin bis Montag nicht im Büro.",
    "fr": "Je suis absent jusqu'à lundi.",
    "es": "Estoy fuera de la oficina hasta el lunes.",
}

BOUNCE = "The message could not be delivered: mailbox full."

_NEEDS = (
    "Asked for a call about {n} seats.",
    "Downloaded the price list and asked for an offer for {n} users.",
    "Met us at the fair, wants to see the product with {n} of their people.",
    "Was recommended by a customer, needs a solution for {n} shops.",
)


def complaint(rng: random.Random, language: str, number: int) -> tuple[str, str]:
    """Return subject and description of an ordinary case."""
    subject, text = rng.choice(_SUBJECTS[language])
    return subject.format(n=number), text.format(n=number)


def outage(rng: random.Random, language: str, product: str) -> tuple[str, str]:
    """Return subject and description of a case that names an outage."""
    subject, text = rng.choice(_OUTAGES[language])
    return subject.format(product=product), text.format(product=product)


def message(rng: random.Random, language: str, mood: str) -> str:
    """Return what a customer writes in *mood*."""
    return rng.choice(_MESSAGES[language][mood])


def answer(language: str) -> str:
    """Return what an agent writes back."""
    return _ANSWERS[language]


def auto_reply(language: str) -> str:
    """Return what a mailbox answers by itself."""
    return _REPLIES[language]


def need(rng: random.Random) -> str:
    """Return what a lead asked for."""
    return rng.choice(_NEEDS).format(n=rng.randrange(5, 200))
