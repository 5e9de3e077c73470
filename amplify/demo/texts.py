"""The words of the demo: invented people and places, and what guests of a hotel might say, in English and Spanish."""

BRAND = "Brisa Hotels"
SLUG = "brisa"

LINES = {
    "city": "City Hotels",
    "beach": "Beach Resorts",
    "wellness": "Spa & Wellness",
}
LOCATIONS = {
    "lisbon": "Lisbon",
    "valencia": "Valencia",
    "cancun": "Cancún",
    "miami": "Miami",
    "austin": "Austin",
    "bogota": "Bogotá",
    "malaga": "Málaga",
    "san-juan": "San Juan",
}
# Where each location's guests come from, for their language and their quiet hours.
ZONES = {
    "lisbon": "Europe/Lisbon",
    "valencia": "Europe/Madrid",
    "cancun": "America/Cancun",
    "miami": "America/New_York",
    "austin": "America/Chicago",
    "bogota": "America/Bogota",
    "malaga": "Europe/Madrid",
    "san-juan": "America/Puerto_Rico",
}
SPANISH_PLACES = {"valencia", "cancun", "bogota", "malaga", "san-juan"}

FIRST = (
    "Ada",
    "Bruno",
    "Carla",
    "Diego",
    "Elena",
    "Felix",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Karim",
    "Lucia",
    "Marta",
    "Nico",
    "Olga",
    "Pablo",
    "Quinn",
    "Rosa",
    "Samir",
    "Tessa",
    "Uma",
    "Victor",
    "Wanda",
    "Ximena",
    "Yago",
    "Zoe",
    "Amira",
    "Bastian",
    "Celia",
    "Dario",
    "Edith",
    "Fabian",
    "Gloria",
    "Hector",
    "Irene",
    "Julian",
    "Kenia",
    "Leo",
)
LAST = (
    "Abril",
    "Bastos",
    "Castell",
    "Duarte",
    "Engel",
    "Ferrer",
    "Galvez",
    "Hobbs",
    "Ibarra",
    "Jansen",
    "Kessler",
    "Lozano",
    "Merino",
    "Navas",
    "Ochoa",
    "Prado",
    "Quintana",
    "Rivas",
    "Salas",
    "Toledo",
    "Urrutia",
    "Vidal",
    "Weiss",
    "Yates",
    "Zamora",
    "Acker",
    "Benet",
    "Corral",
    "Dunne",
    "Espino",
)

PRAISE = {
    "en": (
        "The room smelled of clean linen and the sea, and breakfast ran until eleven. We slept like stones.",
        "They remembered my daughter's name on the second day. She is still talking about it.",
        "Check-in took two minutes and came with a glass of something cold. I wish every trip began like this.",
        "Quiet, bright, and five minutes on foot to everything. I have already booked again.",
        "My flight was late and they kept the kitchen open for us. Nobody had asked them to.",
        "The massage after the hike was worth the whole weekend.",
        "A small thing: fresh oranges by the door every morning. We took one along each day.",
        "The woman at the desk found the shop that could mend my glasses, called them and lent me her umbrella.",
    ),
    "es": (
        "La habitación olía a limpio y a mar, y el desayuno duraba hasta las once. Dormimos como troncos.",
        "El segundo día ya sabían cómo se llama mi hija. Todavía habla de ello.",
        "Entrar fue cosa de dos minutos y con algo fresco en la mano. Ojalá todos los viajes empezaran así.",
        "Tranquilo, luminoso y a cinco minutos a pie de todo. Ya he vuelto a reservar.",
        "El vuelo llegó tarde y nos dejaron la cocina abierta. Nadie se lo había pedido.",
        "El masaje después de la caminata valió por todo el fin de semana.",
        "Un detalle: naranjas frescas junto a la puerta cada mañana. Nos llevábamos una cada día.",
        "La chica de recepción encontró quien me arreglara las gafas, llamó por mí y me prestó su paraguas.",
    ),
}
MIXED = {
    "en": (
        "Nice stay, though the lift was out on Sunday.",
        "Good beds, thin walls.",
        "Fine for one night. The wifi gave up in the evening.",
    ),
    "es": (
        "Buena estancia, aunque el domingo no iba el ascensor.",
        "Camas buenas, paredes finas.",
        "Bien para una noche. El wifi se cansó por la tarde.",
    ),
}
COMPLAINT = {
    "en": (
        "We waited forty minutes for a room that was paid for.",
        "The air conditioning rattled all night and nobody came.",
        "The bill had two drinks on it that we never had.",
    ),
    "es": (
        "Esperamos cuarenta minutos por una habitación ya pagada.",
        "El aire acondicionado hizo ruido toda la noche y no vino nadie.",
        "En la cuenta había dos bebidas que no tomamos.",
    ),
}
SUGGESTIONS = {
    "en": [
        "Just back from a few days away, and I would go again tomorrow.",
        "If you need a place that lets you breathe, this was ours.",
        "Best sleep in months. Ask for the side with the garden.",
    ],
    "es": [
        "Acabo de volver de unos días fuera y repetiría mañana mismo.",
        "Si buscas un sitio donde respirar, este fue el nuestro.",
        "Hacía meses que no dormía así. Pide el lado del jardín.",
    ],
}
DISCLOSURE = {
    "en": "I can win a reward from Brisa Hotels for recommending it. #ad",
    "es": "Puedo ganar un premio de Brisa Hotels por recomendarlo. #publi",
}

# What asks for the links: real people's browsers, in-app browsers, and the machines that look at every posted link.
PEOPLE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0.0.0 "
    "Mobile Safari/537.36 Instagram 390.0.0.0 Android",
)
MACHINES = {
    "x": ("Twitterbot/1.0",),
    "facebook": ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "meta-externalagent/1.1"),
    "linkedin": ("LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",),
    "whatsapp": ("WhatsApp/2.23.20.0",),
    "bluesky": ("Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)",),
    "mastodon": ("Mastodon/4.4.1 (http.rb/5.2.0; +https://mastodon.example/) Bot",),
}

APPEAL = "That was my sister on our shared tablet: she had never seen the page before."
