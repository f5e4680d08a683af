#!/usr/bin/env python3
"""Makes tests/data/nn: what the built-in encoder is compared with.

    python3 -m venv VENV && VENV/bin/pip install numpy protobuf sentencepiece==0.2.3
    VENV/bin/python tests/nn/make_reference.py e5-small-q4.bin tests/data/nn

Nothing of the project runs here. SentencePiece itself is given the pieces and
scores of the model file and its own nmt_nfkc charsmap; the vectors are computed
in fp32 by numpy from the dequantised weights. All text is made up (from the
model's pieces) or written for this file. The output is the same every time.

    lines.txt    texts, one a line, some not valid UTF-8
    lines.ids    a record a line: u16 number of ids, u32 hash (FNV-1a over the
                 ids as u32 little-endian), <s> and </s> included
    rules.txt    rules of nmt_nfkc: code points in hex, "=", code points
    texts.txt    texts for the vectors, one a line
    vectors.f16  a unit vector a text, float16, dims values each
"""
import io
import math
import random
import struct
import sys
import unicodedata

import numpy as np
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto


class Model:
    """The E5S1 file."""

    def __init__(self, path):
        self.data = np.fromfile(path, dtype=np.uint8)
        b = self.data.tobytes()
        assert b[:4] == b"E5S1"
        (self.hidden, self.layers, self.heads, self.ffn, self.vocab,
         self.window, self.types) = struct.unpack_from("<7i", b, 8)
        self.eps = struct.unpack_from("<f", b, 36)[0]
        n = struct.unpack_from("<i", b, 44)[0]
        blob_bytes = struct.unpack_from("<Q", b, 64)[0]
        at = 72
        offsets = struct.unpack_from("<%dI" % (n + 1), b, at)
        at += 4 * (n + 1)
        self.scores = struct.unpack_from("<%df" % n, b, at)
        at += 4 * n
        self.pieces = [b[at + s:at + e].decode()
                       for s, e in zip(offsets, offsets[1:])]
        at += blob_bytes
        at += 8 + struct.unpack_from("<I", b, at + 4)[0]
        count = struct.unpack_from("<i", b, at)[0]
        at += 4
        self.tensors = {}
        for _ in range(count):
            size = struct.unpack_from("<H", b, at)[0]
            name = b[at + 2:at + 2 + size].decode()
            at += 2 + size
            self.tensors[name] = struct.unpack_from("<BIQQ", b, at)
            at += 21
        self.cache = {}

    def values(self, name, rows=None):
        kind, _, offset, size = self.tensors[name]
        raw = self.data[offset:offset + size]
        if kind == 0:
            return raw.view(np.float32)
        if rows is not None:
            raw = raw.reshape(-1, self.hidden // 32 * 18)[rows]
        block = raw.reshape(-1, 18)
        scale = block[:, :2].copy().view(np.float16).astype(np.float32)
        nibbles = np.concatenate([block[:, 2:] & 15, block[:, 2:] >> 4], 1)
        return ((nibbles.astype(np.float32) - 8) * scale).reshape(-1)

    def matrix(self, name, n_in):
        if name not in self.cache:
            self.cache[name] = self.values(name).reshape(-1, n_in)
        return self.cache[name]

    def linear(self, x, name):
        return x @ self.matrix(name + ".w", x.shape[-1]).T + \
            self.values(name + ".b")

    def norm(self, x, name):
        mean = x.mean(-1, keepdims=True)
        var = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) / np.sqrt(var + self.eps) * \
            self.values(name + ".w") + self.values(name + ".b")

    def vector(self, ids):
        """BERT, post-norm, erf GELU, mean pooling, unit length."""
        n, dims = len(ids), self.hidden // self.heads
        erf = np.vectorize(math.erf, otypes=[np.float64])
        x = self.values("emb.word", np.array(ids)).reshape(n, -1) + \
            self.values("emb.pos").reshape(-1, self.hidden)[:n] + \
            self.values("emb.type")[:self.hidden]
        x = self.norm(x, "emb.ln")
        for i in range(self.layers):
            name = "l%d." % i
            q, k, v = [self.linear(x, name + part)
                       .reshape(n, self.heads, dims).transpose(1, 0, 2)
                       for part in "qkv"]
            a = q @ k.transpose(0, 2, 1) / math.sqrt(dims)
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            mixed = (a @ v).transpose(1, 0, 2).reshape(n, -1)
            x = self.norm(x + self.linear(mixed, name + "ao"), name + "aln")
            h = self.linear(x, name + "fi")
            h = (0.5 * h * (1 + erf(h / math.sqrt(2)))).astype(np.float32)
            x = self.norm(x + self.linear(h, name + "fo"), name + "oln")
        y = x.mean(0)
        return y / np.linalg.norm(y)


def nmt_nfkc():
    """SentencePiece's own charsmap: it writes it into every model it trains."""
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello world abc def"] * 100),
        model_writer=out, vocab_size=16, model_type="unigram",
        normalization_rule_name="nmt_nfkc", hard_vocab_limit=False,
        minloglevel=2)
    model = proto.ModelProto()
    model.ParseFromString(out.getvalue())
    return model


def processor(model):
    reference = nmt_nfkc()
    charsmap = reference.normalizer_spec.precompiled_charsmap
    del reference.pieces[:]

    def add(piece, score, kind):
        p = reference.pieces.add()
        p.piece, p.score, p.type = piece, score, kind

    add("<unk>", 0, 2)
    add("<s>", 0, 3)
    add("</s>", 0, 3)
    for piece, score in list(zip(model.pieces, model.scores))[4:-1]:
        add(piece, score, 1)
    reference.trainer_spec.vocab_size = len(reference.pieces)
    reference.trainer_spec.pad_id = -1
    sp = spm.SentencePieceProcessor()
    sp.LoadFromSerializedProto(reference.SerializeToString())
    return sp, charsmap


def ids_of(sp, text):
    """XLM-R: <s> 0, <pad> 1, </s> 2, <unk> 3, others one higher."""
    return [0] + [3 if i == 0 else i + 1 for i in sp.EncodeAsIds(text)] + [2]


def rules_of(charsmap):
    size = struct.unpack_from("<I", charsmap)[0]
    units = struct.unpack_from("<%dI" % (size // 4), charsmap, 4)
    strings = charsmap[4 + size:]
    rules = {}
    todo = [(0, b"")]
    while todo:
        node, prefix = todo.pop()
        unit = units[node]
        base = node ^ ((unit >> 10) << ((unit & 512) >> 6))
        if unit >> 8 & 1:
            at = units[base] & 0x7FFFFFFF
            rules[prefix.decode()] = \
                strings[at:strings.index(b"\0", at)].decode()
        for c in range(1, 256):
            child = base ^ c
            if child < len(units) and units[child] & 0x800000FF == c:
                todo.append((child, prefix + bytes([c])))
    return rules


def hangul(text):
    return any(0x1100 <= ord(c) <= 0x11FF or 0x3131 <= ord(c) <= 0x318E or
               0xAC00 <= ord(c) <= 0xD7A3 or 0xFFA0 <= ord(c) <= 0xFFDC
               for c in text)


def make_lines(model, rules, pick):
    """20,000 lines of every kind that has ever broken a tokenizer."""
    words = {"ko": [], "en": [], "all": []}
    for piece in model.pieces[4:-1]:
        if piece.startswith("\u2581") and len(piece) > 2:
            text = piece[1:]
            words["all"].append(text)
            if all(0xAC00 <= ord(c) <= 0xD7A3 for c in text):
                words["ko"].append(text)
            elif text.isascii() and text.isalpha():
                words["en"].append(text)
    tails = [p for p in model.pieces[4:-1]
             if all(0xAC00 <= ord(c) <= 0xD7A3 for c in p)]
    keys = sorted(rules)
    emoji = [0x1F600, 0x1F44D, 0x2764, 0x1F468, 0x1F469, 0x1F467, 0x1F3FD,
             0xFE0F, 0x200D, 0x1F1F0, 0x1F1F7, 0x1F680, 0x2603, 0x20E3, 0x23]

    def some(things, low, high, sep=" "):
        return sep.join(pick.choice(things)
                        for _ in range(pick.randint(low, high)))

    def korean():
        return " ".join(pick.choice(words["ko"]) + pick.choice(tails + [""])
                        for _ in range(pick.randint(1, 5))) + \
            pick.choice(["", ".", "?", " (1)", "!"])

    def english():
        text = some(words["en"], 2, 7) + pick.choice(["", ".", ", ", "?"])
        return text.capitalize() if pick.random() < .5 else text

    def half_composed():
        return "".join(unicodedata.normalize("NFD", c)
                       if pick.random() < .5 else c for c in korean())

    def code():
        return pick.choice([
            "if (%s[%d] != NULL) {", "    return %s->x%d;", "%s = f(%d, 'x')",
            "<div class=\"%s\" id=%d>", "$ %s --k=%d | head", "{\"%s\": %d}",
            "// %s #%d", "\t%s += %d;", "%s::v%d&", "`%s` **%d** | a | b |"
        ]) % (some(words["en"], 1, 3, "_"), pick.randint(0, 99999))

    def emojis():
        return some(words["en"] + words["ko"], 0, 2) + "".join(
            chr(pick.choice(emoji)) for _ in range(pick.randint(1, 9)))

    def controls():
        return "".join(pick.choice(
            ["\0", "\t", "\r", "\x0b", "\x1b", "\x7f", "\x85", "\xa0", "\xad",
             "\u200b", "\u200c", "\u200e", "\u2028", "\u2060", "\u2581",
             "\u3000", "\ufeff", "\ufffd", " ", "  ", "a", "b c", "\u061c",
             "\uac00"]) for _ in range(pick.randint(1, 14)))

    def from_rules():
        return "".join(pick.choice(keys) if pick.random() < .6 else
                       pick.choice("ab \uac00\u1100\u1161\u11a81\u0301")
                       for _ in range(pick.randint(1, 9)))

    def code_points():
        out = []
        for _ in range(pick.randint(1, 12)):
            low, high = pick.choice([
                (1, 0x2FF), (0x300, 0x36F), (0x370, 0x1FFF), (0x1100, 0x11FF),
                (0x2000, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
                (0xF900, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F000, 0x1FAFF),
                (0x10000, 0x10FFFF)])
            out.append(chr(pick.randint(low, high)))
        return "".join(out).replace("\n", " ")

    def broken():
        text = bytearray(some(words["all"], 1, 4).encode())
        for _ in range(pick.randint(1, 4)):
            at = pick.randrange(len(text) + 1)
            text[at:at + pick.randint(0, 1)] = bytes(
                [pick.choice([0x80, 0xC0, 0xE0, 0xED, 0xA0, 0xF4, 0xF8, 0xFF,
                              0xEA, 0xB0])])
        return bytes(text).replace(b"\n", b" ")

    def odd():
        return pick.choice([
            lambda: "-" * pick.randint(1, 40), lambda: "=" * pick.randint(1, 40),
            lambda: "~#" * pick.randint(1, 20), lambda: "a" * pick.randint(1, 60),
            lambda: "\uac00" * pick.randint(1, 30),
            lambda: "\u0301" * pick.randint(1, 20),
            lambda: "</s>" + english(), lambda: "<s> <mask> <pad> <unk>",
            lambda: korean() + "<mask>", lambda: " " * pick.randint(0, 9),
            lambda: "\u2581" * pick.randint(1, 5) + "a"])()

    plan = [(korean, 4000), (english, 3500), (half_composed, 1500),
            (lambda: some(words["all"], 1, 6), 2500), (code, 1700),
            (emojis, 1500), (controls, 1200), (from_rules, 1800),
            (code_points, 1000), (broken, 800), (odd, 500)]
    lines = []
    for make, count in plan:
        made = [make() for _ in range(count)]
        if make is korean:  # a good part of them decomposed
            made[2500:] = [unicodedata.normalize("NFD", t) for t in made[2500:]]
        lines += made
    return [t if isinstance(t, bytes) else t.encode("utf-8") for t in lines]


TEXTS = """\
How do I set the path prefix of a router?
The proxy forwards every request to the server behind it.
Dependencies are resolved once for each request and then cached.
A background task runs after the response has been sent.
What is the difference between a process and a thread?
The city council approved the new budget on Tuesday evening.
Photosynthesis turns light, water and carbon dioxide into sugar.
Please restart the printer and check that the cable is connected.
Returns the number of bytes read, or -1 if an error occurred.
Interest rates were raised by a quarter of a percentage point.
She had never seen the sea before, and now it filled the whole window.
Vaccines train the immune system to recognise a pathogen.
git rebase moves commits onto another base, one after the other.
The warranty covers defects in material and workmanship for two years.
Can I get a refund if the train is more than an hour late?
SELECT name, COUNT(*) FROM orders GROUP BY name HAVING COUNT(*) > 3;
Mix the flour with the butter until it looks like coarse sand.
Every prime greater than two is odd.
The patient was given 5 mg twice a day for ten days.
Error 502: the upstream server closed the connection.
Mount Everest is 8,849 metres high.
The museum is closed on Mondays and public holidays.
An index makes lookups fast at the price of slower writes.
Plants on the windowsill need water every second day in summer.
def add(a: int, b: int = 0) -> int: return a + b
The treaty was signed in Vienna in 1815.
Use a strong password and never write it on a note.
Honey does not spoil when it is kept dry and closed.
Our office hours are from 9 to 17, Monday to Friday.
The engine must be switched off before refuelling.
Who wrote the music for the film?
The bridge was built between 1928 and 1932 and carries eight lanes.
라우터의 경로 접두사는 어떻게 설정하나요?
프록시는 모든 요청을 뒤에 있는 서버로 전달합니다.
의존성은 요청마다 한 번 해결되고 캐시됩니다.
백그라운드 작업은 응답을 보낸 뒤에 실행됩니다.
프로세스와 스레드의 차이는 무엇인가요?
시의회는 화요일 저녁에 새 예산안을 승인했다.
광합성은 빛과 물, 이산화탄소를 당으로 바꾼다.
프린터를 다시 켜고 케이블이 연결되어 있는지 확인하세요.
읽은 바이트 수를 돌려주며, 오류가 나면 -1을 돌려줍니다.
기준금리가 0.25포인트 인상되었다.
그녀는 바다를 본 적이 없었고, 이제 그것이 창문을 가득 채웠다.
백신은 면역체계가 병원체를 알아보도록 훈련한다.
보증 기간은 2년이며 재료와 제조 결함을 포함합니다.
기차가 한 시간 넘게 늦으면 환불받을 수 있나요?
버터와 밀가루를 굵은 모래처럼 될 때까지 섞는다.
환자에게 5mg을 하루 두 번, 열흘 동안 투여했다.
오류 502: 상위 서버가 연결을 끊었습니다.
한라산의 높이는 1,947미터이다.
박물관은 월요일과 공휴일에 쉽니다.
색인은 쓰기가 느려지는 대신 조회를 빠르게 한다.
여름에는 창가의 화분에 이틀에 한 번 물을 주세요.
훈민정음은 1446년에 반포되었다.
강한 비밀번호를 쓰고 메모지에 적어 두지 마세요.
꿀은 마른 곳에 닫아 두면 상하지 않는다.
영업 시간은 월요일부터 금요일까지 9시에서 17시입니다.
주유하기 전에 엔진을 반드시 끄십시오.
그 영화의 음악은 누가 작곡했나요?
다리는 1928년부터 1932년까지 지어졌고 여덟 차선이 있다.
FastAPI에서 Depends를 사용해 database session을 주입하는 방법
서울에서 부산까지 KTX로 약 2시간 30분 걸립니다.
파일이 너무 크면 413 Payload Too Large 오류가 납니다.
이 함수는 thread-safe하지 않으므로 잠금 안에서 부르세요."""


def make_texts():
    short = TEXTS.split("\n")
    texts = [("query: " if i % 3 == 0 else "passage: ") + t
             for i, t in enumerate(short)]
    # longer ones, of several sentences, up to nearly the whole window
    for first, count in ((0, 6), (8, 14), (32, 6), (38, 12), (0, 30), (32, 24)):
        texts.append("passage: " + " ".join(short[first:first + count]))
    return texts


def fnv1a(ids):
    h = 0x811C9DC5
    for byte in struct.pack("<%dI" % len(ids), *ids):
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def hexes(text):
    return " ".join("%X" % ord(c) for c in text)


def main(path, out):
    model = Model(path)
    sp, charsmap = processor(model)
    rules = rules_of(charsmap)
    pick = random.Random(20240229)

    lines = make_lines(model, rules, pick)
    with open(out + "/lines.txt", "wb") as f:
        f.write(b"".join(t + b"\n" for t in lines))
    with open(out + "/lines.ids", "wb") as f:
        for t in lines:
            ids = ids_of(sp, t.decode("utf-8", "replace"))
            f.write(struct.pack("<HI", len(ids), fnv1a(ids)))

    # all rules of one code point, and of the 220,000 longer ones all that are
    # not Hangul and already decomposed, and a sample of the others
    kept = []
    for key in sorted(rules):
        if len(key) == 1 or (not hangul(key) and
                             unicodedata.normalize("NFKD", key) == key):
            kept.append(key)
        elif pick.random() < (.006 if hangul(key) else .05):
            kept.append(key)
    with open(out + "/rules.txt", "w", encoding="ascii") as f:
        for key in kept:
            f.write("%s=%s\n" % (hexes(key), hexes(rules[key])))

    texts = make_texts()
    vectors = []
    for t in texts:
        ids = ids_of(sp, t)
        assert len(ids) <= model.window
        vectors.append(model.vector(ids))
    with open(out + "/texts.txt", "w", encoding="utf-8") as f:
        f.write("".join(t + "\n" for t in texts))
    np.array(vectors, dtype=np.float16).tofile(out + "/vectors.f16")
    print("%d lines, %d rules, %d texts" % (len(lines), len(kept), len(texts)))


if __name__ == "__main__":
    main(*sys.argv[1:3])
