"""What may be kept, and how it is written as text; no file is opened here."""
