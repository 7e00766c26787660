"""The report of a study: its tables, figures and wording, and the page that shows them."""
