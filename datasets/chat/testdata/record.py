"""Records what transformers makes of rows before and while it renders them: record.py > rows.jsonl.

Needs transformers 5.24 with tokenizers and jinja2 3.1.6, no torch. Each line has a template, a row and the text, or the
name of the error.
"""

import json
import sys

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

SHOW = "{{ messages|tojson }}{{ tools|tojson }}{{ documents|tojson }}{# tool_calls #}"
TEMPLATES = {
    "show": SHOW,
    "reasoning": "{% for m in messages %}{{ m.role }}:{% if m.reasoning_content %}<think>{{ m.reasoning_content }}"
    "</think>{% endif %}{% if m.content is defined %}{{ m.content }}{% endif %};{% endfor %}",
    "thinking": "{% for m in messages %}{% if 'thinking' in m %}[{{ m.thinking }}]{% endif %}{{ m.content }}"
    "{% endfor %}",
    "absent": "{% for m in messages %}{{ m.name is defined }}{{ 'content' in m }}{{ m.tool_calls|length }}{% endfor %}",
    "variables": SHOW + "{{ enable_thinking }}{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}",
    "special": "{{ bos_token is defined }}{{ pad_token is defined }}{{ tools is none }}{{ documents is none }}",
}
Q = {"role": "user", "content": "Q"}
CALL = {"type": "function", "function": {"name": "f", "arguments": {"z": 1, "a": None}}}
PARAMETERS = {"type": "object", "properties": {"z": {}, "a": {}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}
DOCUMENT = {"title": "T", "text": "x"}

ROWS = [
    {"messages": [Q]},
    {
        "messages": [
            {**Q, "name": None, "tool_calls": None},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
        ]
    },
    {"messages": [Q, {"role": "assistant", "content": "A", "reasoning_content": "R"}]},
    {"messages": [Q, {"role": "assistant", "content": "A", "reasoning": "R"}]},
    {"messages": [Q, {"role": "assistant", "content": "A", "thinking": "R", "reasoning": "S"}]},
    {
        "messages": [
            Q,
            {"reasoning_content": "", "role": "assistant", "thinking": "T", "content": "A", "reasoning": None},
        ]
    },
    {"messages": [Q], "tools": [TOOL]},
    {"messages": [Q], "tools": json.dumps([TOOL])},
    {"messages": [Q], "tools": []},
    {"messages": [Q], "tools": None, "documents": None},
    {"messages": [Q], "documents": [DOCUMENT, {"b": 1, "a": 2.0}]},
    {"messages": [Q], "documents": []},
    {"messages": [Q], "chat_template_kwargs": {"enable_thinking": False, "bos_token": "<b>"}},
    {"messages": [Q], "chat_template_kwargs": {"documents": [DOCUMENT]}},
    {"messages": [Q], "tools": ["f"]},
    {"messages": [Q], "documents": ["x"]},
    {"messages": [Q], "tools": "[{"},
    {"messages": [Q], "chat_template_kwargs": {"add_generation_prompt": True}},
    {"messages": [Q], "chat_template_kwargs": [1]},
]


def render(template, row):
    """As TRL's trainers call apply_chat_template."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="</s>")
    tokenizer.chat_template = template
    try:
        tools = row.get("tools")
        tools = json.loads(tools) if isinstance(tools, str) else tools
        more = {"tools": tools or None, "documents": row.get("documents"), **row.get("chat_template_kwargs", {})}
        text = tokenizer.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=False, **more)
        return {"want": text}
    except Exception as e:  # whatever it is, the row has no text
        return {"error": type(e).__name__}


for template in TEMPLATES.values():
    for row in ROWS:
        json.dump({"template": template, "row": row, **render(template, row)}, sys.stdout, ensure_ascii=False)
        print()
