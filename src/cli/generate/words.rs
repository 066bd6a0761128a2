//! The vocabulary of the simulated world.

/// First names, each with its spelling in an e-mail address.
pub(super) const FIRST_NAMES: [(&str, &str); 24] = [
    ("Amina", "amina"),
    ("Björn", "bjorn"),
    ("Chiara", "chiara"),
    ("Daniel", "daniel"),
    ("Elif", "elif"),
    ("Farid", "farid"),
    ("Greta", "greta"),
    ("Håkon", "hakon"),
    ("Ines", "ines"),
    ("Jörg", "joerg"),
    ("Kateryna", "kateryna"),
    ("Łukasz", "lukasz"),
    ("María", "maria"),
    ("Noor", "noor"),
    ("Олена", "olena"),
    ("Pál", "pal"),
    ("Qasim", "qasim"),
    ("Rosa", "rosa"),
    ("Selam", "selam"),
    ("Tomáš", "tomas"),
    ("Uma", "uma"),
    ("Vytautas", "vytautas"),
    ("Yusuf", "yusuf"),
    ("Zoë", "zoe"),
];

/// Last names.
pub(super) const LAST_NAMES: [&str; 20] = [
    "Andersen",
    "Bauer",
    "Costa",
    "Dubois",
    "Eriksson",
    "Ferrari",
    "García",
    "Haile",
    "Ivanenko",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Nguyen",
    "O'Brien",
    "Petrenko",
    "Rahimi",
    "Schmidt",
    "Tesfaye",
    "Zhang",
];

/// Companies with industry, country and its code.
pub(super) const COMPANIES: [(&str, &str, &str, &str); 6] = [
    ("Nordlys Energi AS", "Energy", "Norway", "NO"),
    ("Bergmann & Söhne GmbH", "Manufacturing", "Germany", "DE"),
    ("Atelier Lumière SARL", "Design", "France", "FR"),
    ("Tidewater Bank plc", "Finance", "United Kingdom", "GB"),
    ("Delta Logistiek B.V.", "Logistics", "Netherlands", "NL"),
    ("Solaria Software S.L.", "Software", "Spain", "ES"),
];

/// Job titles of the people.
pub(super) const JOBS: [&str; 8] = [
    "Analyst",
    "Engineer",
    "Senior Engineer",
    "Team Lead",
    "Project Manager",
    "Accountant",
    "Head of Operations",
    "Customer Advisor",
];

/// Departments of the companies.
pub(super) const DEPARTMENTS: [&str; 7] =
    ["Engineering", "Finance", "People", "Operations", "Sales", "Support", "Research"];

/// Where people meet.
pub(super) const PLACES: [&str; 8] = [
    "City library, room 2",
    "Café Größenwahn",
    "Community centre Grünerløkka",
    "Riverside park",
    "Head office, canteen",
    "Museum of Modern Art",
    "Sports hall",
    "Online",
];

/// Gatherings with their type in the contract.
pub(super) const GATHERINGS: [(&str, &str); 10] = [
    ("Cooking together", "cultural"),
    ("Museum visit", "cultural"),
    ("CV workshop", "professional"),
    ("Interview training", "professional"),
    ("How taxes work here", "educational"),
    ("Language café", "language"),
    ("Summer picnic", "social"),
    ("Hike around the lake", "recreational"),
    ("Paperwork hour", "support"),
    ("Open evening", "other"),
];

/// Categories of gatherings.
pub(super) const TAGS: [&str; 6] = ["integration", "food", "outdoors", "career", "language", "families"];

/// What matched people do together.
pub(super) const OUTINGS: [&str; 5] = ["hangout", "activity", "workshop", "call", "coffee"];

/// Skills with their categories.
pub(super) const SKILLS: [(&str, &str); 8] = [
    ("Spreadsheet basics", "digital"),
    ("Public speaking", "communication"),
    ("Job applications", "career"),
    ("Cycling in traffic", "everyday life"),
    ("Small talk in Norwegian", "language"),
    ("Household budget", "finance"),
    ("Python for beginners", "digital"),
    ("Baking bread", "culture"),
];

/// Languages of a match.
pub(super) const LANGUAGES: [&str; 5] = ["en", "no", "uk", "de", "ar"];

/// Interests of a match.
pub(super) const INTERESTS: [&str; 7] = ["cooking", "football", "music", "hiking", "chess", "gardening", "films"];

/// What people write about a meeting.
pub(super) const NOTES: [&str; 7] = [
    "We practised ordering at the bakery, and it worked.",
    "Good talk about the new job.",
    "A bit tired this week; shorter call than usual.",
    "Went to the municipality together: the form is in \"B\" now.",
    "Вперше говорили лише норвезькою!",
    "Found a football club for the kids ⚽",
    "Could not meet, wrote messages instead.",
];

/// What people say at the end of a match.
pub(super) const FAREWELLS: [&str; 4] = [
    "Found a job in another city.",
    "Goals reached, staying friends.",
    "No time beside the new shifts.",
    "The programme came to its end.",
];

/// Milestones in the order in which people reach them: title, category, points, badge.
pub(super) const MILESTONES: [(&str, &str, u32, &str); 14] = [
    ("Profile completed", "onboarding", 10, "badge-profile"),
    ("First meeting", "buddy-connection", 20, "badge-handshake"),
    ("First museum", "cultural", 15, "badge-museum"),
    ("Ordered in the new language", "language", 15, "badge-speech"),
    ("Joined a club", "community", 25, "badge-club"),
    ("First skill shared", "skills", 30, "badge-skill"),
    ("Five events", "events", 30, "badge-five"),
    ("CV ready", "professional", 25, "badge-cv"),
    ("Three months together", "buddy-connection", 40, "badge-three"),
    ("Helped a newcomer", "impact", 50, "badge-impact"),
    ("First job interview", "professional", 50, "badge-interview"),
    ("Ten events", "events", 60, "badge-ten"),
    ("Programme completed", "completion", 100, "badge-done"),
    ("Surprise", "other", 0, "badge-star"),
];

/// What lessons are about.
pub(super) const TOPICS: [&str; 8] =
    ["small talk", "at the doctor's", "past tense", "job interview", "housing", "CV", "career plan", "pronunciation"];

/// Courses: provider, its own id, name.
pub(super) const COURSES: [(&str, &str, &str); 10] = [
    ("ecornell", "EC-101", "Project Management Essentials"),
    ("ecornell", "EC-204", "Data Analysis for Beginners"),
    ("ecornell", "EC-310", "Leading Diverse Teams"),
    ("itslearning", "its-norsk-a2", "Norsk A2 på nett"),
    ("itslearning", "its-digital", "Digital everyday life"),
    ("itslearning", "its-helse", "Health and care, introduction"),
    ("coursera", "customer-service", "Customer Service Fundamentals"),
    ("coursera", "python-start", "Python, a first course"),
    ("linkedin-learning", "cv-2025", "Your CV & your profile"),
    ("linkedin-learning", "excel-1", "Spreadsheets I"),
];

/// What people are enrolled in: who reports it, its type, its id there, its name.
pub(super) const OFFERS: [(&str, &str, &str, &str); 7] = [
    ("kintell", "language_course", "lang-evening-b1", "Evening course B1"),
    ("kintell", "language_course", "lang-start", "Language start"),
    ("upskilling", "upskilling_course", "ups-data", "Data skills"),
    ("upskilling", "certification_program", "cert-care", "Certified care assistant"),
    ("mentorship", "mentorship_program", "mentor-2025", "Mentors 2025"),
    ("manual", "buddy_program", "buddies", "Buddies"),
    ("manual", "other", "open-house", "Open house"),
];

/// Voluntary work: its name, its type in the contract and in the older one, the cause.
pub(super) const DEEDS: [(&str, &str, &str, &str); 6] = [
    ("Food bank shift", "hands_on_volunteering", "general", "Poverty"),
    ("Homework help", "skills_volunteering", "tutoring", "Education"),
    ("Online mentoring", "virtual_volunteering", "mentorship", "Employment"),
    ("Board meeting of the shelter", "board_service", "other", "Housing"),
    ("Legal advice evening", "pro_bono", "skills_based", "Justice"),
    ("Charity run", "other", "event", "Health"),
];

/// Organisations that people work for.
pub(super) const NONPROFITS: [&str; 5] =
    ["Byens Matsentral", "Refugee Council", "Læringsloftet", "Warm Rooms e.V.", "Green Riverbank"];
