"""What the words on a release come to, by whom they are, what they are on, and whether their signatures hold."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from mens_console.gate import signoff
from mens_console.gate.standing import standings

WORDS = st.tuples(
    st.sampled_from(["ada", "ADA", "bob", "eve"]),
    st.sampled_from(["GO", "NO-GO"]),
    st.sampled_from(["d1", "d2"]),
    st.booleans(),
    st.booleans(),
)


def entry(number, word):
    who, said, digest, signed, holds = word
    return SimpleNamespace(
        number=number,
        head=f"head {number}",
        signed=signed,
        holds=holds,
        decision=SimpleNamespace(
            profile=SimpleNamespace(id="p", approvals=2),
            release="1.0",
            by=SimpleNamespace(principal=who),
            decision=said,
            digest=digest,
        ),
    )


def standing(entries, monkeypatched):
    """Return the standing after the last entry, and the numbers of those whose signatures were checked."""
    asked = []

    def signatures(one, signers, *, unsigned):
        asked.append(one.number)
        return "", "" if one.holds or (unsigned and not one.signed) else "it does not hold"

    monkeypatched.setattr(signoff, "signatures", signatures)
    return signoff._standing(SimpleNamespace(entries=tuple(entries)), entries[-1], None), asked


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_checking_only_what_can_count_gives_what_checking_all_gives(words):
    from pytest import MonkeyPatch

    entries = [entry(number, word) for number, word in enumerate(words, 1)]
    mine = entries[-1]
    believed = [
        one for one in entries if one is mine or one.decision.decision == "NO-GO" or one.holds or not one.signed
    ]
    with MonkeyPatch.context() as patched:
        found, asked = standing(entries, patched)
    assert found == standings(believed)[0]
    assert len(asked) == len(set(asked))


def test_hundreds_of_words_need_few_signatures_checked(monkeypatch):
    words = [(("ada", "bob")[place % 2], "GO", "d1", True, True) for place in range(501)]
    found, asked = standing([entry(number, word) for number, word in enumerate(words, 1)], monkeypatch)
    assert found.text == "GO"
    assert asked == [500]
