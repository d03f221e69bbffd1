"""Listening tests: make them from runs, let people take them in a browser, and score the answers.

    DIR/page/index.html      what listeners get: this folder and nothing else
        page/audio/NAME.js   one sound each, under a random name
        key.json             which sound is which; only for the experimenter
        answers/             what `mondegreen listen serve` received; put downloaded files here too

`key.json` is one object: `schema` (1), `study` (16 hexadecimal digits), `protocol` ("abx", "paper"
or "staircase"), `seed`, `versions`, `conditions` (labels, such as "imperceptible fast"), `clips`
(ids), `sounds` (by name: the `clip` and the `condition`, which is "clean", a label, "obvious" or
"training"), and `forms`. A form is what one listener goes through, a list of trials in order:

    id          unique within the form
    kind        "abx", "noise", "natural", "identical" or "changed"
    role        "test", "training", "catch same" or "catch obvious"
    clip        id of the clip
    conditions  what the question is about: for "abx" and "changed" the one label that is compared
                with the clean clip, for "noise" the one condition, for pairs both of them, "clean"
                first
    sounds      names of the sounds by the listener's letters: "a", "b", "x"
    correct     "a", "b", "yes" or "no"; null if no answer is wrong
    track       for "changed": the numbers of a staircase and of a clip in it. The level of a trial
                follows from the answers to earlier ones of its staircase; the first is played as
                saved. Null: all sounds are played as saved

Answers are one JSON object per session: `study`, `protocol`, `listener`, `form`, `started`,
`finished` (or null), `complete`, `code` (or null), `headphones` (`right`, `of`, `passed`, `tries`;
or null), and `answers`, a list of `trial`, `answer`, `heard_difference` (null except for "abx"),
`level` (of the change, in dB relative to the file; null except for trials of a track),
`seconds`, `plays` (how often each sound was played) and `at`.

Nothing here needs torch.
"""
