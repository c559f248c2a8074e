"""Whatever a model wraps around its answer, the customer gets the answer only."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.replies.cleaning import clean

REASONING = [
    ("<think>\nNo discount for him.\n</think>\n\nHello!", "Hello!"),
    ("Policy says 10 % at most.\n</think>\nWe can offer 5 %.", "We can offer 5 %."),
    ("<think>\nIt costs us 4 euro.", ""),
    ("<think></think>Hello!", "Hello!"),
    ("<think>\n\n</think>\n\nHello!", "Hello!"),
    ("<think/>Hello!", "Hello!"),
    ("Hello! <think>Should I add more?</think>", "Hello!"),
    ("Hello! <think>Hm.</think> How are you?", "Hello!  How are you?"),
    ("<think>One.</think>Hello!<think>Two.</think> Bye!", "Hello! Bye!"),
    ("<think>a<think>b</think>c</think>Hello!", "Hello!"),
    ("<think>`x` is secret.</think>Hello!", "Hello!"),
    ("`x` <think>Secret: `x`</think>", "`x`"),
    ("<think>I end with `</think>`. Secret.</think>Hello!", "Hello!"),
    ("<think>The tag </think> ends it. Secret.</think>Hello!", "Hello!"),
    ("<THINK>Secret.</THINK>Hello!", "Hello!"),
    ("< think >Secret.</ think >Hello!", "Hello!"),
    ('<think duration="3">Secret.</think>Hello!', "Hello!"),
    ("&lt;think&gt;Secret.&lt;/think&gt;Hello!", "Hello!"),
    ("<thinking>Secret.</thinking>Hello!", "Hello!"),
    ("<thinking>Secret.</think>Hello!", "Hello!"),
    ("<thought>Secret.</thought>Hello!", "Hello!"),
    ("<reasoning>Secret.</reasoning>Hello!", "Hello!"),
    ("<reasoning_content>Secret.</reasoning_content>Hello!", "Hello!"),
    ("<reflection>Secret.</reflection>Hello!", "Hello!"),
    ("<scratchpad>Secret.</scratchpad>Hello!", "Hello!"),
    ("<analysis>Secret.</analysis>Hello!", "Hello!"),
    ("<inner_monologue>Secret.</inner_monologue>Hello!", "Hello!"),
    ("<antThinking>Secret.</antThinking>Hello!", "Hello!"),
    ("<seed:think>Secret.</seed:think>Hello!", "Hello!"),
    ("[THINK]Secret.[/THINK]Hello!", "Hello!"),
    ("[THINK]Secret.", ""),
    ("◁think▷Secret.◁/think▷Hello!", "Hello!"),
    ("<|channel|>analysis<|message|>Secret.<|end|><|start|>assistant<|channel|>final<|message|>Hello!", "Hello!"),
    ("<|channel|>analysis<|message|>Secret.<|end|>", ""),
    ("<|channel|>analysis<|message|>Secret, cut off", ""),
    ("<|channel|>final<|message|>Hello!<|return|>", "Hello!"),
    ("<|channel|>commentary to=functions.find <|constrain|>json<|message|>{}<|call|>", ""),
    ("<|start|>assistant<|channel|>commentary<|message|>Secret.<|end|>", ""),
    ("analysisThe user wants cake.assistantfinalHello!", "Hello!"),
    ("analysisThe user wants cake.", ""),
    ("<|channel>thought\nSecret.<channel|>Hello!", "Hello!"),
    ("<|channel>thought\nSecret.", ""),
    ("<|START_THINKING|>Secret.<|END_THINKING|><|START_RESPONSE|>Hello!<|END_RESPONSE|>", "Hello!"),
    ("<|begin_of_thought|>Secret.<|end_of_thought|><|begin_of_solution|>Hello!<|end_of_solution|>", "Hello!"),
    ("<|inner_prefix|>Secret.<|inner_suffix|>Hello!", "Hello!"),
    ("<|think|>Secret.<|end|><|begin|>assistant<|content|>Hello!<|end|>", "Hello!"),
    ('<details type="reasoning" done="true">\n<summary>Thought</summary>\nSecret.\n</details>\nHello!', "Hello!"),
    ("Here is my thought process: Secret.\n\nHere is my response: Hello!", "Hello!"),
    ("Here's my thought process: Secret.", ""),
    ("Thinking...\nSecret.\n...done thinking.\n\nHello!", "Hello!"),
    ("<think>Secret.</think><answer>Hello!</answer>", "Hello!"),
    ("<think>Secret.\n<answer>Hello!</answer>", "Hello!"),
    ("<think>I put it in <answer> tags. Secret", ""),
    ("<response>Hello!</response>", "Hello!"),
    ("[thinking]Secret.[/thinking]Hello!", "Hello!"),
    ("<|reasoning|>Secret.<|/reasoning|>Hello!", "Hello!"),
    ("<|thought_begin|>Secret.<|thought_end|>Hello!", "Hello!"),
    ("<|im_start|>think\nSecret.<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>", "Hello!"),
    ("```thinking\nSecret.\n```\nHello!", "Hello!"),
    ("**Thinking:** Secret.\n\n**Answer:** Hello!", "Hello!"),
    ("Thought: They want the hours.\nFinal Answer: We open at 9.", "We open at 9."),
    ("Thought: I must look.\nAction: find\nAction Input: {}\nObservation: Secret.\nFinal Answer: At 9.", "At 9."),
]

TOOLS = [
    ('<tool_call>\n{"name": "lookup_order", "arguments": {"id": 4711}}\n</tool_call>', ""),
    ('One moment.\n<tool_call>{"name": "find", "arguments": {}}</tool_call>', "One moment."),
    ('<tool_call>{"name": "find", "argu', ""),
    ("<tool_call>find\n<arg_key>id</arg_key>\n<arg_value>1</arg_value>\n</tool_call>", ""),
    ('{"name": "find", "arguments": {"id": 1}}', ""),
    ('{"name": "find", "parameters": {"id": 1}}\n\nHere you are.', "Here you are."),
    ('[{"name": "find", "arguments": {}}, {"name": "tell", "arguments": {}}]', ""),
    ('{"type": "function", "function": {"name": "find", "arguments": "{}"}}', ""),
    ('{"tool_calls": [{"id": "1", "function": {"name": "find", "arguments": "{}"}}]}', ""),
    ('{"action": "find", "action_input": {"id": 1}}', ""),
    ('{"name": "find", "arguments": {"id": ', ""),
    ('Let me look.\n```json\n{"name": "find", "arguments": {}}\n```\nDone.', "Let me look.\n\nDone."),
    ('```tool_code\nprint(find(id="1"))\n```', ""),
    ('```tool_call\n{"find": 1}\n```\nHello!', "Hello!"),
    ('[TOOL_CALLS][{"name": "find", "arguments": {}}]', ""),
    ('Hello! [TOOL_CALLS]find[ARGS]{"id": 1}', "Hello!"),
    ('[TOOL_REQUEST]{"name": "find"}[END_TOOL_REQUEST]Hello!', "Hello!"),
    ('<|python_tag|>find.call(query="x")<|eom_id|>', ""),
    ('<function=find>{"id": 1}</function>', ""),
    ('<function_calls><invoke name="find"><parameter name="id">1</parameter></invoke></function_calls>', ""),
    ('<invoke name="find"><parameter name="id">1</parameter></invoke>Hello!', "Hello!"),
    ("<tool_response>Secret.</tool_response>Hello!", "Hello!"),
    ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>find<｜tool▁calls▁end｜>", ""),
    ('<｜DSML｜function_calls><｜DSML｜invoke name="find"></｜DSML｜invoke></｜DSML｜function_calls>Hello!', "Hello!"),
    ("<|tool_calls_section_begin|>find<|tool_calls_section_end|>", ""),
    ("<|tool_call_start|>[find(id=1)]<|tool_call_end|>Hello!", "Hello!"),
    ("<|tool_call>call:find{id:1}<tool_call|>", ""),
    ('<|START_ACTION|>[{"tool_name": "find"}]<|END_ACTION|>', ""),
    ("[find(id=3)]", ""),
    ("<|tool_calls|>[{}]<|/tool_calls|>", ""),
    ("<tool>find</tool>Hello!", "Hello!"),
    ("{'name': 'find', 'arguments': {'id': 1}}", ""),
    ('Hello! {"name": "find", "arguments": {}} Bye!', "Hello! Bye!"),
    ('find_order {"id": 1}', ""),
    ("TOOL_CALL: find(id=1)\nHello!", "Hello!"),
    ('to=functions.find {"id": 1}', ""),
    ('{"response": "Hello!"}', "Hello!"),
    ('```json\n{"reply": "Hello!"}\n```', "Hello!"),
    ("find_order(id='3')", ""),
    ('functools[{"name": "find", "arguments": {}}]', ""),
]

CONTROL_TOKENS = [
    ("We are open until six.<|im_end|>\n<|im_start|>user\nThanks<|im_end|>", "We are open until six."),
    ("<|im_start|>assistant\nHello!<|im_end|>", "Hello!"),
    ("<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>", "Hello!"),
    ("Hello!<|endoftext|>Question: What is 2 + 2?", "Hello!"),
    ("Hello!<|end|><|user|>Thanks", "Hello!"),
    ("Hello!<｜end▁of▁sentence｜>", "Hello!"),
    ("Hello!<｜User｜>Thanks<｜Assistant｜>Bye", "Hello!"),
    ("<start_of_turn>model\nHello!<end_of_turn>\n<start_of_turn>user\nThanks", "Hello!"),
    ("<|turn>model\nHello!<turn|>", "Hello!"),
    ("<s>[INST] Hi [/INST] Hello!</s>", "Hello!"),
    ("[INST] Hi [/INST] Hello! [INST] Thanks [/INST]", "Hello!"),
    ("<s> Hello!</s>", "Hello!"),
    ("Hello!</s>", "Hello!"),
    ("Hello!</s> <s>user: Thanks", "Hello!"),
    ("<bos>Hello!<eos>", "Hello!"),
    ("<<SYS>>Secret.<</SYS>>Hello!", "Hello!"),
    ("Hello!<unused12><pad>", "Hello!"),
    ("Hello<|vision_start|> there!", "Hello there!"),
    ("Hello! <|im_e", "Hello!"),
    ("Assistant: Hello!", "Hello!"),
    ("assistant\nHello!", "Hello!"),
    ("assistantHello!", "Hello!"),
    ("### Response:\nHello!\n\n### Instruction:\nThanks", "Hello!"),
    ("Human: Hi\nAssistant: Hello!", "Hello!"),
    ("[gMASK]<sop>Hello!<EOS_TOKEN>", "Hello!"),
    ("Hello!\nUser: Thanks\nAssistant: Bye!", "Hello!"),
]

INNOCENT = [
    "If a < b and c > d, then a <= d.",
    "I <3 you! :> <-",
    "We think about it. Thinking helps.",
    "Analysis: everything is fine.",
    "Use `<think>` in the prompt.",
    "Replace <your name> with your name.",
    "In Java: `List<String> names`",
    "```html\n<b>bold</b> <s>old</s>\n```",
    "It was <s>20 €</s> and is 15 € now.",
    "<s>20 €</s> 15 € now",
    '```json\n{"name": "Ann", "email": "ann@example.com"}\n```',
    '{"name": "Ann", "city": "Lyon"}',
    "[Monday] closed, [Tuesday] open",
    "[1] First, [2] second",
    "Call us (Monday=closed).",
    "User: admin\nPassword: see your letter",
    "a | b || c",
    "Thought: what a nice cake!",
    "x = {1, 2}\n[3, 4]",
    "Reasoning: we're closed on Sundays.",
    "We use the find_order page {beta}.",
    "Our tool: a hammer. Tool call us any time.",
    "Assistants and models welcome.",
]


@pytest.mark.parametrize(("answer", "said"), REASONING + TOOLS + CONTROL_TOKENS)
def test_only_what_is_meant_for_the_customer_is_kept(answer: str, said: str) -> None:
    assert clean(answer) == said


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


SHOWN, SECRET = st.text(string.ascii_lowercase + " .\n", max_size=20), st.just("SECRET")
TAGS = [
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
]


@given(st.lists(st.tuples(SHOWN, st.sampled_from(TAGS)), max_size=4), SHOWN, st.sampled_from(TAGS), st.booleans())
def test_a_thought_is_never_shown(
    parts: list[tuple[str, tuple[str, str]]], end: str, tags: tuple[str, str], cut: bool
) -> None:
    answer = "".join(f"{shown}{opening} SECRET {closing}" for shown, (opening, closing) in parts) + end
    assert "SECRET" not in clean(answer + (f"{tags[0]} SECRET" if cut else ""))
    assert "SECRET" not in clean(f"SECRET {tags[1]}{answer}")


MARKUP = [
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<|im_end|>",
    "<|im_start|>",
    "[INST]",
    "</s>",
    "<s>",
    "`",
    "\n",
    " a ",
]
FORBIDDEN = ["<|im_end|>", "<|im_start|>", "<tool_call>", "</tool_call>", "[INST]"]


@given(st.lists(st.sampled_from([*MARKUP, '{"name": "x", "arguments": {}}', "<eos>", "<|", "Hello"]), max_size=12))
def test_no_control_token_is_left(pieces: list[str]) -> None:
    said = clean("".join(pieces))
    assert not [mark for mark in FORBIDDEN if mark in said]
    assert said == said.strip()
