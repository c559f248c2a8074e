"""Words for months, days and small numbers in the languages that most customers write."""


def _numbered(*languages: str) -> dict[str, int]:
    """The words of each language in order, from 1. Several words for one number are separated by a bar."""
    return {
        word: number
        for language in languages
        for number, words in enumerate(language.split(), 1)
        for word in words.split("|")
    }


# Without the abbreviations that are other words too: mar, set, out, ago, dom.
MONTHS = _numbered(
    "january|jan february|feb march april|apr may june|jun july|jul august|aug september|sept|sep october|oct"
    " november|nov december|dec",
    "januar|jänner februar märz april mai juni juli august september oktober|okt november dezember|dez",
    "enero|ene febrero marzo abril|abr mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre|dic",
    "janeiro fevereiro|fev março abril maio junho julho agosto setembro outubro novembro dezembro",
    "janvier|janv février|févr mars avril|avr mai juin juillet|juil août septembre octobre novembre décembre|déc",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januari februari maret april mei juni juli agustus september oktober november desember",
)
WEEKDAYS = _numbered(
    "monday tuesday wednesday thursday friday saturday sunday",
    "montag dienstag mittwoch donnerstag freitag samstag|sonnabend sonntag",
    "lunes martes miércoles|miercoles jueves viernes sábado|sabado domingo",
    "segunda|segunda-feira terça|terça-feira quarta|quarta-feira quinta|quinta-feira sexta|sexta-feira sábado domingo",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "poniedziałek wtorek środa|środę czwartek piątek sobota|sobotę niedziela|niedzielę",
    "понедельник вторник среда|среду четверг пятница|пятницу суббота|субботу воскресенье",
    "pazartesi salı çarşamba perşembe cuma cumartesi pazar",
    "måndag tisdag onsdag torsdag fredag lördag söndag",
    "senin selasa rabu kamis jumat sabtu minggu",
)
WEEKDAY_RANGE = (
    r"\b(?:mon|mo|lun|l|seg|lu|ma|пн)[a-zäöüßéíáúçñìа-я-]*\.?\s?(?:-|–|to|bis|a|à|al|até|t/m)\s?"
    r"(?:fri|fr|sat|sa|sun|so|vie|sáb|sab|dom|sex|ven|v|s|d|do|vr|za|zo|пт|сб|вс)[a-zäöüßéíáúçñìа-я-]*\b"
)
WEEKS = (
    r"\b(?:week|weekend|woche|wochenende|semana|fin de semana|fim de semana|semaine|settimana|tydzień|неделе|неделю)\b"
)
UNITS = {
    1: r"(?:(?:business|working|open|calendar)\s)?days?|(?:werk|arbeits|geschäfts)?tage?n?|d[ií]as?|jours?|giorn[oi]"
    r"|dagen|dag|дн[яей]+|hari|gün",
    7: r"weeks?|wochen?|semanas?|semaines?|settiman[ae]|weken|недел[юьи]",
    30: r"months?|monate?n?|mes(?:es)?|mês|mois|mes[ei]|maanden|maand|месяц\w*",
}
NUMBERS = _numbered(
    "one two|both|pair|double|couple three four five six|half-dozen seven eight nine ten eleven twelve|dozen",
    "ein|eins|eine|einen zwei|beide drei vier fünf sechs sieben acht neun zehn elf zwölf|dutzend",
    "uno|una|un dos|ambos|par tres cuatro cinco seis siete ocho nueve diez once doce|docena",
    "um|uma dois|duas|ambos três quatro cinco seis sete oito nove dez onze doze|dúzia",
    "un|une deux trois quatre cinq six sept huit neuf dix onze douze|douzaine",
    "uno|una due tre quattro cinque sei sette otto nove dieci undici dodici|dozzina",
    "een twee drie vier vijf zes zeven acht negen tien elf twaalf",
)
