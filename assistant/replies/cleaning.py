"""Keeps only what an answer says to the customer: no reasoning, no tool calls, no control tokens.

Models mark these in their own ways, and an endpoint that doesn't know a model's way passes the marks on as text.
Doubtful text is dropped rather than shown: an answer with nothing left is asked for again.
"""

import json
import re

_NAMES = (
    r"(?:[\w-]+:)?(?:think(?:ing)?|thoughts?|thought_process|chain_of_thought|reasoning(?:_\w+)?|reflection|scratchpad"
    r"|analysis|ant_?thinking|inn?er_?monologue|internal_?monologue|longcat_think)"
)
_PIPED = r"(?:think(?:ing)?|thoughts?|reasoning|analysis|inner)"
_MARKS = re.compile(
    rf"(?P<empty>(?:<|&lt;)\s*{_NAMES}\s*/\s*(?:>|&gt;))"
    rf"|(?P<open>(?:<|&lt;)\s*{_NAMES}(?:\s[^<>]*?)?(?:>|&gt;)|\[(?:think(?:ing)?|reasoning)\]|◁think▷"
    rf"|<\|(?:(?:begin|start)_(?:of_)?)?{_PIPED}(?:_begin|_start|_prefix)?\|>|<\|im_start\|>\s*(?:think(?:ing)?|reasoning)\b"
    r"|<\|channel>\s*thought|(?:<\|start\|>\s*assistant\s*)?<\|channel\|>(?!\s*final)[^<]*(?:<\|(?!message)\w+\|>[^<]*)*(?:<\|message\|>)?)"
    rf"|(?P<close>(?:<|&lt;)\s*/\s*{_NAMES}\s*(?:>|&gt;)|\[/(?:think(?:ing)?|reasoning)\]|◁/think▷"
    rf"|<\|(?:/|end_(?:of_)?){_PIPED}\|>|<\|{_PIPED}(?:_end|_suffix)\|>|<\|(?:begin_of_solution|start_response)\|>"
    r"|<\|content\|>|<channel\|>|<\|start\|>assistant<\|message\|>"
    r"|<\|channel\|>\s*final[^<]*(?:<\|constrain\|>[^<]*)?(?:<\|message\|>)?)"
    r"|(?P<answer>(?m:^)[ \t]*<(?:final_)?(?:answer|response)>|<\|im_start\|>\s*assistant\b)",
    re.IGNORECASE,
)
_LABEL = r"[*_#> \t]*"
_OTHER_REASONING = (
    # Open WebUI's form; Granite's; Ollama's; gpt-oss without its control tokens, complete and cut off.
    r"<details\b[^<>]*\btype=[\"']?(?:reasoning|tool_calls?|code_interpreter)[^<>]*>.*?(?:</details>|\Z)",
    r"\A\s*Here(?:'s| is) my thought process:.*?(?:Here(?:'s| is) my response:|\Z)",
    r"\A\s*Thinking\.\.\.\s.*?(?:\.\.\.\s*done thinking\.|\Z)",
    r"\A\s*(?-i:(?:analysis|commentary)(?=[A-Z ].*assistant\s*final)).*assistant\s*final",
    r"\A\s*(?-i:analysis(?=[A-Z])|(?:assistant)?commentary\s+to=).*",
    r"^```(?:think(?:ing)?|thoughts?|reasoning)\b.*?(?:^```|\Z)",
    rf"\A\s*{_LABEL}(?:Thinking|Thought process|Reasoning|Chain of thought|Analysis)\s*[*_]*:.*"
    rf"^{_LABEL}(?:Final )?(?:Answer|Response|Reply)\s*[*_]*:[*_]*",
    # ReAct, with an answer and without.
    r"\A(?=.*^(?:Thought|Action):).*^Final Answer:",
    r"^(?:Thought:[^\n]*\n+)?Action:[^\n]*\n+Action Input:.*",
)
_WRAPPER = re.compile(
    r"\A\s*<(answer|final_answer|final|response|final_response|output|reply|assistant)>(.*?)(?:</\1>.*)?\Z",
    re.IGNORECASE | re.DOTALL,
)

_TOOL_TAGS = (
    r"(?:[\w-]+:)?(?:tool_?calls?|tool_use|tool_(?:response|result|output)s?|function_?(?:call|result)s?|invoke)"
)
_TOOL_SYNTAX = (
    rf"<({_TOOL_TAGS})\b[^<>]*>.*?(?:</\1\s*>|\Z)",
    r"<function\s*[=\s][^<>]*>.*?(?:</function>|\Z)",
    r"<\|tool_calls?(?:_section)?_(?:begin|start)\|>.*?(?:<\|tool_calls?(?:_section)?_end\|>|\Z)",
    r"<\|tool(?:_calls?|_responses?)?\|?>.*?(?:<\|?/?tool(?:_calls?|_responses?)?\|>|\Z)",
    r"<(tools?|execute|action|api_call|observation)>.*?</\1>",
    r"^[ \t]*(?-i:TOOL_CALL|FUNCTION_CALL|tool_call|function_call)S?[ \t]*[:=][^\n]*",
    r"(?:^|\s)to=functions\.\w+.*",
    r"\{\s*'(?:name|function)'\s*:\s*'[^'\n]*'\s*,\s*'(?:arguments|parameters)'\s*:.*?(?:\}\s*\}|\Z)",
    r"\A\s*[a-z]+_\w+\s*\{.*\}\s*\Z",
    r"<\|(?:start_action|action_start)\|>.*?(?:<\|(?:end_action|action_end)\|>|\Z)",
    r"<\|python_tag\|>.*?(?:<\|eo[tm]_id\|>|\Z)",
    r"\[(TOOL_REQUEST|TOOL_RESULT)\].*?(?:\[END_\1\]|\Z)",
    r"\[(AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT)\].*?(?:\[/\1\]|\Z)",
    r"\[TOOL_CALLS\].*",
    r"<<SYS>>.*?(?:<</SYS>>|\Z)",
    r"^```(?:tool_\w+|function_call|functions?)\b.*?(?:^```|\Z)",
    r"\A\s*functools\s*\[.*",
    # A call in Python's syntax, if the answer is nothing else.
    r"\A\s*\[?(?:print\()?[a-z_][\w.]*\((?:\s*\w+\s*=\s*[^()\n]*)\)(?:\s*,\s*[a-z_][\w.]*\([^()\n]*\))*\)?\]?\s*\Z",
    rf"</?{_TOOL_TAGS}\b[^<>]*>|</?(?:parameter|arg_key|arg_value|function)\b[^<>]*>(?=\s*(?:<|\Z))",
)
_CALL_KEYS = {"arguments", "args", "parameters", "params", "input", "action_input", "tool_input"}
_NAME_KEYS = {"name", "function", "tool", "tool_name", "function_name", "action", "recipient_name"}
_OTHER_KEYS = {"id", "type", "call_id", "tool_call_id", "index", "thought", "thoughts", "reasoning"}
_SPOKEN_KEYS = {"response", "reply", "answer", "message", "text", "content", "output"}
_ENVELOPES = {"tool_calls", "function_call", "tool_call", "function_calls", "tool_uses"}
_JSON = re.compile(r"(?P<fence>^[ \t]*```\w*[ \t]*\n)?[ \t]*(?P<json>[{\[]\s{0,20}[{\"])", re.MULTILINE)
_CUT_CALL = re.compile(
    r"\[?\s*\{\s*\"(?:name|function|tool|action|tool_calls|function_call)\"\s*:.*\"(?:arguments|parameters|action_input)\"",
    re.DOTALL,
)
_FENCE_END = re.compile(r"\s*```")

_ROLES = r"(?:assistant|model|bot|chatbot)"
_CONTROL = (
    r"(?:<\|/?\w[\w.:/-]{0,60}\|?>|<\w{1,40}\|>|</?(?:(?:bos|eos|pad|unk)(?:_token)?|mask|sop|eop|start_of_turn|end_of_turn|end_of_utterance"
    r"|unused\d+|reserved_\w+|extra_id_\d+|0x[0-9a-f]{2})>|\[/?(?:INST|SYSTEM_PROMPT|gMASK|sop|eop|BOS|EOS)\]|<</?SYS>>)"
)
_BEGINNING = re.compile(rf"\A(?:\s*{_CONTROL}(?:\s*{_ROLES}(?=\s|<))?)+", re.IGNORECASE)
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end|endoftext|end_of_text|end_of_turn|end_of_sentence|return|call|end_of_turn_token"
    r"|end_response|end_text|role_end|user|human|system|observation|im_start|start|start_header_id"
    r"|start_of_turn_token)\|>|<\|turn>|<turn\|>|<(?:end_of_turn|start_of_turn|eos|end_of_utterance)>|\[INST\]",
    re.IGNORECASE,
)
_OTHER_TURN = re.compile(r"(?<=\n)[ \t]*(?:User|Human|Customer)[ \t]*:")
_TURN_AFTER_IT = re.compile(r"\n[ \t]*(?:Assistant|AI)[ \t]*:")
_OTHER_INSTRUCTIONS = re.compile(r"^#{2,4}\s*(?:Instructions?|User|Human|Input|Question)\s*:", re.MULTILINE)
_SPEAKER = re.compile(
    r"\A\s*(?:(?:User|Human)\s*:.*?^[ \t]*(?=(?:Assistant|AI)\s*:))?(?:(?:Assistant|AI)\s*:\s+|(?:assistant|model)\n+"
    r"|assistant(?=[A-Z])|#{2,4}[ \t]*(?:Response|Assistant|Answer)[ \t]*:\s*)",
    re.DOTALL | re.MULTILINE,
)
_CUT_TOKEN = re.compile(r"<\|\w{0,40}\|?\Z")


def clean(answer: str) -> str:
    """What the answer says to the customer; "" if nothing."""
    # DeepSeek writes its tokens with a fullwidth bar and a low block for a space.
    text = re.sub(r"<(/?)[|｜]DSML[|｜]", r"<\1", answer)
    text = re.sub(r"<[|｜][^<>|｜\n]{1,60}[|｜]>", lambda token: token[0].replace("｜", "|").replace("▁", "_"), text)
    text = _without_reasoning(text)
    for pattern in _TOOL_SYNTAX:
        text = re.sub(pattern, "", text, flags=re.IGNORECASE | re.DOTALL | re.MULTILINE)
    text = _without_tokens(_unwrapped(_without_json_calls(text)))
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text).strip()


def _without_reasoning(text: str) -> str:
    for pattern in _OTHER_REASONING:
        text = re.sub(pattern, "", text, flags=re.IGNORECASE | re.DOTALL | re.MULTILINE)
    kept: list[str] = []
    is_thinking, at = False, 0
    for mark in _MARKS.finditer(text):
        if text[mark.start() - 1 : mark.start()] == text[mark.end() : mark.end() + 1] == "`":
            continue  # a tag quoted as code is something that the answer talks about
        if not is_thinking:
            kept.append(text[at : mark.start()])
        if mark["close"] and not is_thinking:
            kept.clear()  # its beginning is missing: what came before was a thought
        if mark["answer"]:
            kept.append(mark[0])
        is_thinking = bool(mark["open"]) or (is_thinking and bool(mark["empty"]))
        at = mark.end()
    if not is_thinking:
        kept.append(text[at:])
    said = "".join(kept)
    return _WRAPPER.sub(r"\2", said)


def _without_json_calls(text: str) -> str:
    """Remove JSON that calls a function, on its own or within text, with the code fence around it."""
    kept, at = [], 0
    for found in _JSON.finditer(text):
        if found.start() < at:
            continue  # within the last call
        try:
            value, end = json.JSONDecoder().raw_decode(text, found.start("json"))
        except RecursionError:
            break  # nested too deeply for a call
        except ValueError:
            if not _CUT_CALL.match(text, found.start("json")):
                continue
            value, end = {"tool_calls": []}, len(text)
        if _is_call(value):
            closing = _FENCE_END.match(text, end) if found["fence"] else None
            kept.append(text[at : found.start()])
            at = closing.end() if closing else end
    return "".join([*kept, text[at:]])


def _unwrapped(text: str) -> str:
    """The reply in JSON that has nothing else, such as {"response": "Hello!"}."""
    found = re.fullmatch(r"\s*(?:```(?:json)?\s*)?(\{\s*\"\w+\"\s*:\s*\".*\})\s*(?:```)?\s*", text, re.DOTALL)
    try:
        value = json.loads(found[1]) if found else {}
    except (ValueError, RecursionError):
        return text
    spoken = [said for key, said in value.items() if key in _SPOKEN_KEYS and isinstance(said, str)]
    return spoken[0] if len(value) == len(spoken) == 1 else text


def _is_call(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_call(each) for each in value)
    if not isinstance(value, dict):
        return False
    keys = set(value)
    if keys & _ENVELOPES:
        return True
    if isinstance(value.get("function"), dict):
        return _is_call(value["function"])
    return bool(keys & _NAME_KEYS) and bool(keys & _CALL_KEYS) and keys <= _NAME_KEYS | _CALL_KEYS | _OTHER_KEYS


def _without_tokens(text: str) -> str:
    """Remove control tokens, and what follows the end of the assistant's turn, where the model plays other roles."""
    if re.match(r"\s*(?:<s>\s*)?\[INST\]", text, re.IGNORECASE):
        text = re.split(r"\[/INST\]", text, maxsplit=1, flags=re.IGNORECASE)[-1]  # it repeats the prompt
    if text.lstrip().startswith("<s>") and "</s>" not in text.rstrip().removesuffix("</s>"):
        text = text.lstrip().removeprefix("<s>")
    text = _BEGINNING.sub("", text)
    if end := _END_OF_TURN.search(text):
        text = text[: end.start()]
    text = _SPEAKER.sub("", text)
    if instructions := _OTHER_INSTRUCTIONS.search(text):
        text = text[: instructions.start()]
    if (turn := _OTHER_TURN.search(text)) and _TURN_AFTER_IT.search(text, turn.end()):
        text = text[: turn.start()]
    if not 0 <= text.find("<s>") < text.find("</s>"):  # otherwise it's HTML, which strikes through what's between them
        text = text.partition("</s>")[0]
    return _CUT_TOKEN.sub("", re.sub(_CONTROL, "", text, flags=re.IGNORECASE))
