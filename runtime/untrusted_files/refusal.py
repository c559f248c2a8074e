UNKNOWN = "This kind of file can't be read. Use a PDF, DOCX, XLSX, CSV, HTML, Markdown or text file."
TOO_MANY_PAGES = (
    "It lists more than {most:,} pages, the most that can be read. Add the sitemap of a part of the website instead."
)


class Refused(Exception):
    """A file can't be read. The message says why, and what to do; "" if the file is damaged or malicious."""
