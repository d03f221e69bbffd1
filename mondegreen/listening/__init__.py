"""Listening tests: made from runs, met by people in a browser, and scored from what they answered.

    DIR/page/index.html      what listeners get: this folder alone
        page/audio/BLIND.js  one sound each, under a name that says nothing
        key.json             which sound is what; it stays with the experimenter
        answers/             what `mondegreen listen serve` was sent, and downloaded ones

`key.json` is one object: `study` (16 hexadecimal digits), `protocol` ("abx" or "paper"), `seed`,
`versions`, `conditions` (labels, such as "imperceptible fast"), `clips` (their ids), `sounds` (by
blind name: the `clip` and the `condition` of each, which is "clean", a label, "obvious" or
"training"), and `forms`: what a listener goes through, a list of trials in their order:

    id          within its form
    kind        "abx", "noise", "natural" or "identical"
    role        "test", "training", "catch same" or "catch obvious"
    clip        id of the clip
    conditions  what is asked about: of "abx" the one label that is told from the clean clip, of
                "noise" the one condition heard, of pairs both of them, "clean" first
    sounds      the blind names by what the listener calls them: "a", "b", "x"
    correct     "a", "b", "yes", "no", or null where no answer is wrong

Answers are one JSON object of a session: `study`, `protocol`, `listener`, `form`, `started`,
`finished` (or null), `complete`, `code` (or null), `headphones` (`right`, `of`, `passed`, `tries`;
or null), and `answers`, a list of `trial`, `answer`, `heard_difference` (null but for "abx"),
`seconds`, `plays` (how often each sound was turned to) and `at`.

Nothing here needs torch.
"""
