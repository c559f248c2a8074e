"""The safety net: who asks for a human is recognised, whatever the model does."""

import pytest

from assistant.tools.asking_for_person import asks_for_person

ASKING = """
I want to speak to a human
I want to speak to a human being now, please! Not a bot!
can i talk to a real person
agent
Human please
HUMAN!!!
talk to agent
connect me to customer service
Could you put me through to someone?
I need a human
is there a real person I can talk to?
stop this bot
I don't want to talk to a robot
let me speak with your manager
give me a live agent
Can somebody from the team call... I'd like to speak with somebody
transfer me to a representative
operator
Get me a person
I'd rather talk to someone in person
quiero hablar con una persona
¿Puedo hablar con un humano?
Pásame con un agente por favor
necesito un asesor
agente
no quiero hablar con un robot
¿hay alguien real ahí con quien hablar?
Comuníqueme con un representante
persona real
quero falar com um atendente
quero falar com uma pessoa de verdade
atendente
preciso de um humano
não quero falar com robô
me passa para alguém
falar com atendente
Je veux parler à un humain
puis-je parler à quelqu'un ?
passez-moi un conseiller
un conseiller svp
je ne veux pas parler à un robot
J'aimerais être mis en relation avec un conseiller, parler à une vraie personne
Ich möchte mit einem Menschen sprechen
Kann ich mit jemandem reden?
Mitarbeiter bitte
echter Mensch bitte
Ich will keinen Bot
verbinden Sie mich mit einem Mitarbeiter
Ich will mit einem richtigen Menschen schreiben
voglio parlare con un operatore
posso parlare con una persona?
operatore
passatemi un responsabile
non voglio parlare con un bot
Ik wil een medewerker spreken
kan ik met iemand praten?
medewerker
geen robot aub
bir insanla konuşmak istiyorum
müşteri temsilcisine bağlanmak istiyorum
temsilci
gerçek bir insan istiyorum
yetkili biriyle görüşebilir miyim
хочу поговорить с человеком
позовите оператора
оператор
соедините с менеджером
мне нужен живой человек
не хочу говорить с ботом
أريد التحدث مع موظف
اريد التكلم مع شخص حقيقي
موظف
عايز اكلم حد من خدمة العملاء
حولني لموظف
لا أريد روبوت
मुझे किसी इंसान से बात करनी है
एजेंट से बात कराओ
इंसान चाहिए
mujhe kisi insaan se baat karni hai
customer care se baat karwao
saya mau bicara dengan manusia
hubungkan saya dengan operator
cs dong
bisa ngobrol sama admin?
我要人工客服
转人工
人工
找真人
我想和真人说话
不要机器人
人間と話したい
オペレーターにつないでください
担当者に代わってください
スタッフと話せますか
상담원 연결해주세요
사람이랑 얘기하고 싶어요
상담원
chcę rozmawiać z człowiekiem
proszę o połączenie z konsultantem
konsultant
"""
NOT_ASKING = """
Do you have a cake for ten people?
Table for one person please
How much is it per person?
Are you a bot?
Are you a real person?
Hello, what are your opening hours?
Can I order bread for tomorrow?
Do you sell robot vacuum cleaners?
I'd like two croissants
My phone number is 12345
Where is my order?
The delivery person was very friendly
My agency needs an invoice
I need help
Thank you so much!
I have 4 people at home
What does it cost
The operating system is broken
It was a personal gift
Can you support gluten free?
Quiero una torta para 10 personas
¿Cuánto cuesta por persona?
Necesito una torta
¿eres un robot?
Hola, ¿tienen pan?
Quanto custa para 5 pessoas?
bom dia, quero um bolo
Une table pour deux personnes
C'est pour une personne allergique
Combien par personne ?
Eine Torte für 12 Personen
Was kostet das pro Person?
Haben Sie morgen offen?
Bist du ein Bot?
Ich brauche eine Rechnung
Una torta per 10 persone
Avete il pane?
Een taart voor 10 personen
10 kişilik pasta var mı
Merhaba, fiyat nedir
Сколько стоит торт на 10 человек?
торт на двоих
كم سعر الكعكة
مرحبا
केक कितने का है
10 logon ke liye cake chahiye
berapa harga kue untuk 10 orang
你好,请问多少钱
我想订一个蛋糕
有没有蛋糕
10人用のケーキはありますか
ケーキをお願いします
케이크 주세요
tort na 10 osób
ile kosztuje
Can you deliver to my team at work?
I want to get a present for my boss
Do you have anything vegan? My manager is vegan.
Is there someone allergic in your kitchen?
I talk a lot, sorry :)
We have a reservation for 6 people
Please reply in English
ok
👍
yes
"""


@pytest.mark.parametrize("text", ASKING.strip().splitlines())
def test_a_customer_who_asks_for_a_person_is_recognised(text: str) -> None:
    assert asks_for_person(text)


@pytest.mark.parametrize("text", NOT_ASKING.strip().splitlines())
def test_an_ordinary_message_is_not_a_request_for_a_person(text: str) -> None:
    assert not asks_for_person(text)


def test_a_very_long_text_is_read_up_to_a_limit() -> None:
    assert asks_for_person("I want to speak to a human " * 10_000)
    assert not asks_for_person("want not no need speak " * 10_000)
