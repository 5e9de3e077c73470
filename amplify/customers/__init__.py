"""People as a brand knows them: contact, language, consent; what they may be sent; export and erase."""
