"""Renders published chat templates with jinja2: parity.py FOLDER writes one JSON object a line.

Every *.jinja file of the folder (see gather_templates.py) is rendered for 18 dialogues, with and without a generation
prompt. TestPublished of the package compares them with the Go engine.
"""

import json
import pathlib
import sys
import warnings

from peer import render

warnings.simplefilter("ignore")


def say(role, content, **more):
    return {"role": role, "content": content, **more}


CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": {"city": "Tromsø", "days": 3, "metric": True, "alt": 1.0}},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'Tells the weather of a city\'s "day".',
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "city": {"type": "string", "description": "Where?"},
                "days": {"type": "integer", "minimum": 1},
                "units": {"type": ["string", "null"], "enum": ["C", "F"]},
            },
        },
        "return": {"type": "object", "description": "The weather"},
    },
}
Q, A = say("user", "How are you?"), say("assistant", "Fine, thanks.")
S = say("system", "Be brief.")

DIALOGUES = [
    {"messages": [Q]},
    {"messages": [S, Q]},
    {"messages": [S, Q, A, say("user", "Why? "), say("assistant", "\nBecause."), say("user", "And?")]},
    {"messages": [Q, A]},
    {"messages": []},
    {"messages": [S]},
    {"messages": [say("user", "Grüße, 世界 \U0001f600\u200b <|im_start|> {{ x }} \\n 'q' \"d\" \t\r\n")]},
    {"messages": [S, Q, say("assistant", "", tool_calls=[CALL])], "tools": [TOOL]},
    {
        "messages": [
            Q,
            say("assistant", None, tool_calls=[CALL, CALL]),
            say("tool", "12 C", name="weather", tool_call_id="call_1"),
        ],
        "tools": [TOOL, TOOL],
    },
    {
        "messages": [
            Q,
            say("assistant", "Let me see.", tool_calls=[{**CALL, "id": "123456789"}]),
            say("tool", '{"t": 12}', tool_call_id="123456789"),
            say("assistant", "12 C."),
            say("user", "Thanks"),
        ],
        "tools": [TOOL],
    },
    {"messages": [Q, say("assistant", "Yes.", reasoning_content="I think so."), say("user", "Sure?")]},
    {
        "messages": [Q, say("assistant", "<think>\nHm.\n</think>\n\nYes."), say("user", "Sure?")],
        "enable_thinking": False,
    },
    {
        "messages": [
            say(
                "user", [{"type": "text", "text": "What is "}, {"type": "image"}, {"type": "text", "text": "this?"}]
            ),
            say("assistant", [{"type": "text", "text": "A cat."}]),
            Q,
        ]
    },
    {"messages": [Q, say("assistant", None)]},
    {"messages": [say("critic", "odd"), A, A]},
    {
        "messages": [Q],
        "tools": [TOOL],
        "documents": [{"title": "One", "text": "First."}, {"title": "Two", "text": ""}],
    },
    {"messages": [say("developer", "Be exact."), Q, A, Q], "enable_thinking": True, "tools": []},
    {
        "messages": [
            Q,
            {
                "role": "assistant",
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            },
            say("tool", ["x", 1]),
            say("user", ""),
        ],
        "tools": [TOOL],
    },
]


def main():
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        template = path.read_bytes().decode("utf-8", "replace")
        for dialogue in DIALOGUES:
            for prompt in (False, True):
                variables = {
                    "tools": None,
                    "documents": None,
                    "bos_token": "<s>",
                    "eos_token": "</s>",
                    "unk_token": "<unk>",
                    "pad_token": "<pad>",
                    "add_generation_prompt": prompt,
                    **dialogue,
                }
                text = json.dumps(variables, ensure_ascii=False)
                print(
                    json.dumps(
                        {
                            "name": path.stem,
                            "mode": "chat",
                            "template": template,
                            "vars": text,
                            **render("chat", template, text),
                        }
                    )
                )


main()
