#!/usr/bin/env python3
"""Writes the small PDFs of this folder, and beside each NAME.txt: what must be
read from it, with a form feed where a page begins. Only the standard library;
the same bytes every time. The expectations are made from the words that go into
the PDF, by want(), or stand there by hand where reading must change them
(hyphens, ligatures); nothing here ever runs the reader."""

import hashlib
import os
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
BOLD = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>"
# poppler-data has the character map; the font itself is in no file
KOREAN = ("<< /Type /Font /Subtype /Type0 /BaseFont /HYSMyeongJo-Medium "
          "/Encoding /UniKS-UCS2-H /DescendantFonts [<< /Type /Font "
          "/Subtype /CIDFontType0 /BaseFont /HYSMyeongJo-Medium "
          "/CIDSystemInfo << /Registry (Adobe) /Ordering (Korea1) "
          "/Supplement 1 >> /DW 1000 /W [1 95 300 8094 8190 300] /FontDescriptor << /Type /FontDescriptor "
          "/FontName /HYSMyeongJo-Medium /Flags 6 /FontBBox [0 -120 1000 880] "
          "/ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 "
          "/StemV 80 >> >>] >>")
LIGATURES = ("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding "
             "<< /Type /Encoding /BaseEncoding /WinAnsiEncoding "
             "/Differences [1 /fi /fl] >> >>")


def esc(s):
    b = s if isinstance(s, bytes) else s.encode("cp1252")
    for a in b"\\()":
        b = b.replace(bytes([a]), b"\\" + bytes([a]))
    return b


def at(x, y, s, size=11, font="F1"):
    """One line of text with its left end at x, y (from below)."""
    if font == "K":
        shown = b"<" + s.encode("utf-16-be").hex().encode() + b">"
    else:
        shown = b"(" + esc(s) + b")"
    return b"BT /%s %d Tf %g %g Td %s Tj ET\n" % (font.encode(), size, x, y, shown)


def lines(x, y, text, size=11, font="F1", lead=13):
    return b"".join(at(x, y - i * lead, s, size, font)
                    for i, s in enumerate(text))


def rc4(key, data):
    s = list(range(256))
    j = 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) & 255
        s[i], s[j] = s[j], s[i]
    i = j = 0
    out = bytearray()
    for c in data:
        i = (i + 1) & 255
        j = (j + s[i]) & 255
        s[i], s[j] = s[j], s[i]
        out.append(c ^ s[(s[i] + s[j]) & 255])
    return bytes(out)


PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E80"
                    "2F0CA9FE6453697A")
FILE_ID = b"0123456789abcdef"


class Crypt:
    """The standard handler, revision 2: RC4 of 40 bits."""

    def __init__(self, user, owner):
        user = (user + PAD)[:32]
        okey = hashlib.md5((owner + PAD)[:32]).digest()[:5]
        self.o = rc4(okey, user)
        p = (-4).to_bytes(4, "little", signed=True)
        self.key = hashlib.md5(user + self.o + p + FILE_ID).digest()[:5]
        self.u = rc4(self.key, PAD)

    def stream(self, num, data):
        k = hashlib.md5(self.key + num.to_bytes(3, "little") + b"\0\0").digest()
        return rc4(k[:10], data)

    def dict(self):
        return (b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <" +
                self.o.hex().encode() + b"> /U <" + self.u.hex().encode() +
                b"> >>")


def pdf(pages, fonts=None, title=None, crypt=None, page_extra="", rotate=0):
    """pages: content streams. fonts: name -> dictionary."""
    fonts = fonts or {"F1": HELVETICA, "F2": BOLD}
    objs = ["<< /Type /Catalog /Pages 2 0 R >>", None]
    font_refs = ""
    for name, d in fonts.items():
        objs.append(d)
        font_refs += "/%s %d 0 R " % (name, len(objs))
    kids = []
    for content in pages:
        num = len(objs) + 1
        data = zlib.compress(content, 9) if len(pages) > 4 else content
        flate = " /Filter /FlateDecode" if len(pages) > 4 else ""
        if crypt:
            data = crypt.stream(num, data)
        objs.append(b"<< /Length %d%s >>\nstream\n%s\nendstream" %
                    (len(data), flate.encode(), data))
        objs.append("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
                    "/Rotate %d /Resources << /Font << %s>> >> /Contents %d 0 "
                    "R %s>>" % (rotate, font_refs, num, page_extra))
        kids.append("%d 0 R" % len(objs))
    objs[1] = "<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids),
                                                           " ".join(kids))
    trailer = b""
    if title:
        objs.append(b"<< /Title (" + esc(title) + b") >>")
        trailer += b" /Info %d 0 R" % len(objs)
    if crypt:
        objs.append(crypt.dict())
        trailer += b" /Encrypt %d 0 R /ID [<%s> <%s>]" % (
            len(objs), FILE_ID.hex().encode(), FILE_ID.hex().encode())
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for i, o in enumerate(objs):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (
            i + 1, o if isinstance(o, bytes) else o.encode())
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objs) + 1)
    out += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objs) + 1, trailer, xref)
    return out


def put(name, data):
    with open(os.path.join(HERE, name + ".pdf"), "wb") as f:
        f.write(data)
    assert len(data) < 10000, name


def want(name, *pages):
    """The text of NAME.pdf: pages of paragraphs of lines (one line: a string).
    None behind a page's last paragraph: it goes on over the page."""
    out = []
    for page in pages:
        goes_on = page[-1:] == [None]
        paras = ["\n".join([p] if isinstance(p, str) else p)
                 for p in page[:-1 if goes_on else None]]
        end = "" if not paras else "\n" if goes_on else "\n\n"
        out.append("\n\n".join(paras) + end)
    text = "\f".join(out)
    if text.endswith("\n\n"):
        text = text[:-1]
    with open(os.path.join(HERE, name + ".txt"), "w", encoding="utf-8") as f:
        f.write(text)


def prose(n, start=0):
    """Lines of about one width, so that they look like running text."""
    words = ("the pump moves water from the lower tank to the upper one and "
             "stops when a float says that it is full while the valve keeps "
             "what is there until somebody opens it by hand").split()
    out = []
    k = start
    for _ in range(n):
        line = words[k % len(words)]
        k += 1
        while len(line) + len(words[k % len(words)]) < 46:
            line += " " + words[k % len(words)]
            k += 1
        out.append(line)
    return out


def two_columns():
    left = ["Cooling water leaves the plant through a", "long canal and is "
            "tested there every hour.", "A heat exchanger takes most of its "
            "warmth,", "and what remains is given to the greenhouse",
            "next door, which is warmed by it all winter", "and which in "
            "return pays for the emergency"]
    right = ["shutdown valve of the second cooling circuit.",
             "The valve is closed by a spring and opened", "by air, so that a "
             "loss of pressure shuts it.", "It is tried on the first Monday "
             "of a month."]
    put("two_columns", pdf([
        at(60, 780, "Two Columns", 20, "F2") +
        lines(60, 740, left) + lines(320, 740, right)]))
    # the sentence that the left column ends in goes on in the right one
    want("two_columns", ["Two Columns", left + right])


def hyphens():
    put("hyphens", pdf([lines(60, 780, [
        "A reader of manuals looks for one piece of informa-",
        "tion, not for two halves. Our state-of-the-",
        "art reader joins what was cut. The open-domain ques-",
        "tion is another matter, as every open-",
        "domain system knows. In 2019-",
        "2020 nobody knew it. A careful reader keeps the well-",
        "known ones: what is known well is known."])]))
    # a word cut at the end of a line is one word, on the line it began on; a
    # hyphen stays that belongs to the word or stands between numbers
    want("hyphens", [[
        "A reader of manuals looks for one piece of information,",
        "not for two halves. Our state-of-the-art",
        "reader joins what was cut. The open-domain question",
        "is another matter, as every open-domain",
        "system knows. In 2019-2020",
        "nobody knew it. A careful reader keeps the well-known",
        "ones: what is known well is known."]])


def header_footer():
    pages = []
    for n in range(1, 7):
        pages.append(at(60, 810, "Pump Manual P-200") +
                     at(500, 810, "Revision 7", 9) +
                     lines(60, 700, prose(2, n * 3)) +
                     at(280, 30, "Page %d of 6" % n, 9))
    put("header_footer", pdf(pages))
    # prose() stops in the middle of a sentence, so it goes on over each page
    want("header_footer", *[[prose(2, n * 3), None] for n in range(1, 7)])


def odd_even():
    pages = []
    for n in range(1, 9):
        if n % 2:
            head = at(60, 810, "Installing the boiler") + at(520, 810, str(n))
        else:
            head = at(60, 810, str(n)) + at(420, 810, "Boiler Handbook")
        pages.append(head + lines(60, 700, prose(2, n * 5)))
    put("odd_even", pdf(pages))
    want("odd_even", *[[prose(2, n * 5), None] for n in range(1, 9)])


def fake_bold():
    body = b""
    for dx in (0, 0.3):
        body += at(60 + dx, 780, "Warning: high voltage")
    put("fake_bold", pdf([body + at(60, 750, "Switch off the mains first.")]))
    want("fake_bold", ["Warning: high voltage", "Switch off the mains first."])


def korean():
    title = "제1장 총칙"
    text = ["이 설명서는 물 펌프의 설치와 점검을 다룬다.",
            "전원을 끄고 나서 덮개를 연다."]
    put("korean", pdf([at(60, 780, title, 18, "K") +
                       lines(60, 740, text, 11, "K", 16)], {"K": KOREAN}))
    want("korean", [title, text])


def korean_wrap():
    """A line that ends in the middle of a word that stands elsewhere too, and
    one that ends between two words."""
    put("korean_wrap", pdf([
        lines(60, 780, ["전월 이용금액이 많은 회원은 다음 달에 더 큰 할인과 이용금",
                        "액 적립을 받을 수 있고 이미 적립된 포인트는 다음 해까지",
                        "이용할 수 있다."], 11, "K", 16)], {"K": KOREAN}))
    # the cut word is whole again; the line between two words stays
    want("korean_wrap", [[
        "전월 이용금액이 많은 회원은 다음 달에 더 큰 할인과 이용금액",
        "적립을 받을 수 있고 이미 적립된 포인트는 다음 해까지",
        "이용할 수 있다."]])


def empty_page():
    put("empty_page", pdf([at(60, 700, "The first page has words."),
                           b"60 60 100 100 re f\n",
                           at(60, 700, "So has the third page.")]))
    want("empty_page", ["The first page has words."], [],
         ["So has the third page."])


def across_pages():
    first = prose(4) + ["and the last line of this page speaks of the relief"]
    second = ["valve that opens by itself when pressure rises.",
              "It closes again when the pressure has fallen."]
    put("across_pages", pdf([
        lines(60, 200, first) + at(60, 60, "1 Notes are set in small type.", 7),
        lines(60, 780, second)]))
    # the note stands before the paragraph, which so goes on over the page
    want("across_pages", ["1 Notes are set in small type.", first, None],
         [second])


def table():
    rows = [("Widget, steel", "12", "$ 3.50"), ("Gasket", "140", "$ 0.25"),
            ("Filter housing", "7", "$ 41.00"), ("Spring", "(3)", "$ 1.10")]
    body = at(60, 780, "Parts in stock")
    for i, (a, b, c) in enumerate(rows):
        y = 740 - 14 * i
        body += at(60, y, a) + at(300, y, b) + at(420, y, c)
    put("table", pdf([body]))
    # a row stays a line, its cells two blanks apart
    want("table", ["Parts in stock", ["  ".join(row) for row in rows]])


def bullets():
    body = at(60, 780, "Before you start")
    items = [["Close the main valve and wait until the", "gauge shows zero."],
             ["Take off the cover."]]
    y = 740
    for item in items:
        body += at(60, y, "\u2022")
        body += lines(110, y, item)
        y -= 13 * len(item) + 12
    put("bullets", pdf([body]))
    want("bullets", ["Before you start"] +
         [["\u2022 " + item[0]] + item[1:] for item in items])


def ligatures():
    put("ligatures", pdf([
        at(60, 780, b"The \x01rst \x02ow of of\x01cial \x01lters", 11, "L")], {"L": LIGATURES}))
    want("ligatures", ["The first flow of official filters"])


def rotated():
    put("rotated", pdf([b"0 1 -1 0 595 0 cm\n" + lines(60, 500, [
        "This page is printed across", "and turned for reading."])],
        rotate=90))
    want("rotated", [["This page is printed across",
                      "and turned for reading."]])


def many_pages():
    """Chapters of eight pages, whose titles run over them; page numbers go up
    to 24."""
    names = ["Unpacking", "Mounting", "Wiring"]
    pages = []
    for n in range(24):
        pages.append(at(60, 810, names[n // 8]) +
                     at(60, 700, "Step %s of the work is done here." %
                        "abcdefghijklmnopqrstuvwxyz"[n]) +
                     at(290, 30, str(n + 1)))
    put("many_pages", pdf(pages))
    want("many_pages", *[["Step %s of the work is done here." % c]
                         for c in "abcdefghijklmnopqrstuvwx"])


def headings():
    put("headings", pdf([
        at(60, 790, "Boiler Handbook", 24, "F2") +
        at(60, 750, "1", 14, "F2") + at(85, 750, "Introduction", 14, "F2") +
        lines(60, 725, ["This handbook is for people who mount boilers.",
                        "It is not for people who use them."]) +
        at(60, 690, "1.1 Who may do the work", 11, "F2") +
        lines(60, 665, ["Only trained people may open the housing of the",
                        "boiler or touch what is inside of it."]) +
        at(60, 630, "2", 14, "F2") + at(85, 630, "Mounting", 14, "F2") +
        lines(60, 605, ["1. Drill four holes.", "2. Hang the boiler."])],
        title="Boiler Handbook"))
    want("headings", [
        "Boiler Handbook", "1 Introduction",
        ["This handbook is for people who mount boilers.",
         "It is not for people who use them."],
        "1.1 Who may do the work",
        ["Only trained people may open the housing of the",
         "boiler or touch what is inside of it."],
        "2 Mounting", "1. Drill four holes.", "2. Hang the boiler."])


def right_to_left():
    """Hebrew, drawn from the left as such files are."""
    word = "\u05e9\u05dc\u05d5\u05dd"
    cmap = (b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
            b"/CMapName /X def /CMapType 2 def\n"
            b"1 begincodespacerange <00> <ff> endcodespacerange\n"
            b"4 beginbfchar\n" +
            b"".join(b"<%02x> <%04x>\n" % (0x61 + i, ord(c))
                     for i, c in enumerate(word)) +
            b"endbfchar endcmap end end\n")
    font = ("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode "
            "4 0 R >>")
    stream = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap)
    body = at(60, 780, "dcba (2024)", 11, "H") + at(60, 750, "dcba dcba", 11, "H")
    put("right_to_left", pdf([body], {"H": font, "X": stream}))
    # read from the right: what stands there comes first
    want("right_to_left", ["(2024) " + word, word + " " + word])


def failing():
    put("scan", pdf([b"60 60 400 600 re f\n", b"60 60 400 600 re f\n"]))
    put("password", pdf([at(60, 700, "Nobody may read this.")],
                        crypt=Crypt(b"secret", b"owner")))
    put("owner_password", pdf([at(60, 700, "Everybody may read this.")],
                              crypt=Crypt(b"", b"owner")))
    want("owner_password", ["Everybody may read this."])
    whole = pdf([at(60, 700, "Half of this file is missing.")])
    put("truncated", whole[:120])
    put("broken", b"%PDF-1.4\n" + bytes(range(256)) * 2)


for make in (two_columns, hyphens, header_footer, odd_even, fake_bold, korean,
             korean_wrap, empty_page, across_pages, table, bullets, ligatures,
             rotated, many_pages, headings, right_to_left, failing):
    make()
