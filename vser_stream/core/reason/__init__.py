"""Why a voice is judged so: human rules, rationales, and the proof that they are true."""
