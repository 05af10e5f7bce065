"""`mens-console completion SHELL`: a completion script, written from the same table that parses.

Our own few lines, because they cover fish too and cost no dependency. The scripts run nothing but shell builtins.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mens_console.cli.errors import OK
from mens_console.cli.parser import COMMANDS, CONSOLE, PROG, parser_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a shell needs it: its flags, its help, and what may follow (None: nothing does)."""

    flags: tuple[str, ...]
    help: str
    values: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Grammar:
    """One command: its options, and the words its first argument is chosen from (empty: files).

    `within` tells the same of each of its actions, if it has any; its options are then those of them all.
    """

    options: tuple[Option, ...]
    words: tuple[str, ...]
    within: Mapping[str, Grammar] = field(default_factory=dict)

    @property
    def after(self) -> Mapping[str, tuple[str, ...]]:
        """Return for each action the words of what follows it (empty: files)."""
        return {name: grammar.words for name, grammar in self.within.items()}

    @property
    def flags(self) -> str:
        """Return every option as it is written."""
        return " ".join(flag for option in self.options for flag in option.flags)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    print({"bash": bash, "zsh": zsh, "fish": fish}[arguments.shell](), end="")
    return OK


def grammars() -> dict[str, Grammar]:
    """Return what may follow each command; the empty name is the console itself."""
    return {command.name: _grammar(parser_of(command), command.completes) for command in (CONSOLE, *COMMANDS.values())}


def _names() -> dict[str, tuple[str, ...]]:
    """Return what arguments without a list of choices may name all the same, by command, action and argument."""
    from mens_console.gate.profiles import shipped
    from mens_console.signals.rules import RULES
    from mens_contracts.registry import CONTRACTS

    contracts, rules, profiles = tuple(CONTRACTS), tuple(RULES), tuple(shipped())
    return {
        "contracts show id": contracts,
        "contracts check --contract": contracts,
        "contracts export --contract": contracts,
        "alerts silence rule": rules,
        "alerts test rule": rules,
        **{f"gate {action} profile": profiles for action in ("show", "check", "sign")},
    }


def _grammar(parser: argparse.ArgumentParser, completes: tuple[str, ...]) -> Grammar:
    options: list[Option] = []
    words = list(completes)
    within: dict[str, Grammar] = {}
    names = _names()
    for action in parser._actions:
        named = (*action.option_strings[-1:], action.dest)[0]
        choices = tuple(map(str, action.choices or names.get(f"{parser.prog.removeprefix(PROG).strip()} {named}", ())))
        if isinstance(action, argparse._SubParsersAction):
            within = {name: _grammar(one, ()) for name, one in action.choices.items()}
            inner = [option for grammar in within.values() for option in grammar.options]
            options += {option.flags: option for option in inner if option.flags != ("-h", "--help")}.values()
        if not action.option_strings:
            words += choices
            continue
        values = None if action.nargs == 0 else choices
        options.append(Option(tuple(action.option_strings), (action.help or "").partition(" (")[0], values))
    return Grammar(tuple(options), tuple(words), within)


def bash() -> str:
    """Return the script for bash: a function that looks up the command, then its options or files."""
    cases, inner, values = [], [], []
    for name, grammar in grammars().items():
        cases.append(f"        {_label(name)}) options='{grammar.flags}'; words='{' '.join(grammar.words)}' ;;")
        for action, one in grammar.within.items():  # what follows an action's first argument are files
            named = f"; (( COMP_CWORD == 3 )) && words='{' '.join(one.words)}'" if one.words else ""
            inner.append(f"        '{name} {action}') options='{one.flags}'; words=''{named} ;;")
        inner += [f"        '{name} '*) words='' ;;"] if grammar.within else []
        for option in grammar.options:
            if option.values is not None:
                words = " ".join(option.values)
                values += [f"        '{name} {flag}') values='{words}'; takes=1 ;;" for flag in option.flags]
    return f"""# {PROG} completion for bash: source <({PROG} completion bash)
_{_function()}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local command='' options='' words='' values='' takes=''
    local commands='{" ".join(COMMANDS)}'
    if (( COMP_CWORD > 1 )) && [[ " $commands " == *" ${{COMP_WORDS[1]}} "* ]]; then command=${{COMP_WORDS[1]}}; fi
    case "$command" in
{chr(10).join(cases)}
    esac
    if (( COMP_CWORD > 2 )); then
        case "$command ${{COMP_WORDS[2]}}" in
{chr(10).join(inner)}
        esac
    fi
    case "$command $previous" in
{chr(10).join(values)}
    esac
    COMPREPLY=()
    local word
    if [[ -n $takes ]]; then
        words=$values
    elif [[ $current == -* ]]; then
        words=$options
    elif (( COMP_CWORD == 1 )); then
        words=$commands
    fi
    for word in $words; do [[ $word == "$current"* ]] && COMPREPLY+=("$word"); done
    if [[ -z $takes ]] && (( COMP_CWORD == 3 && ! ${{#COMPREPLY[@]}} )); then words=''; fi
    if [[ $current != -* && ( -z $words || COMP_CWORD -eq 1 ) ]]; then
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
    fi
    compopt -o filenames 2>/dev/null
    return 0
}}
complete -F _{_function()} {PROG}
"""


def zsh() -> str:
    """Return the script for zsh, which runs the one for bash through its own adapter."""
    body = bash().partition("\n")[2]
    return (
        f"#compdef {PROG}\n# source <({PROG} completion zsh)\n"
        f"autoload -U +X compinit && (( $+functions[compdef] )) || compinit\n"
        f"autoload -U +X bashcompinit && bashcompinit\n{body}"
    )


def fish() -> str:
    """Return the script for fish: one `complete` line for each word."""
    return "\n".join((f"# {PROG} completion fish > ~/.config/fish/completions/{PROG}.fish", *_fish_lines())) + "\n"


def _fish_lines() -> Iterator[str]:
    for command in COMMANDS.values():
        yield f"complete -c {PROG} -n __fish_use_subcommand -a {command.name} -d {_quoted(command.summary)}"
    for name, grammar in grammars().items():
        condition = f"'__fish_seen_subcommand_from {name}'" if name else "__fish_use_subcommand"
        first = f"{condition[:-1]}; and not __fish_seen_subcommand_from {' '.join(grammar.after)}'"
        for word in grammar.words:
            yield f"complete -c {PROG} -n {first if grammar.after else condition} -f -a {word}"
        for action, words in grammar.after.items():
            if words:
                second = f"{condition[:-1]}; and __fish_seen_subcommand_from {action}'"
                yield f"complete -c {PROG} -n {second} -f -a {_quoted(' '.join(words))}"
        if not grammar.within:
            yield from _fish_options(condition, grammar)
        for action, one in grammar.within.items():
            yield from _fish_options(f"{condition[:-1]}; and __fish_seen_subcommand_from {action}'", one)


def _fish_options(condition: str, grammar: Grammar) -> Iterator[str]:
    for option in grammar.options:
        names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
        takes = (
            "" if option.values is None else f" -x -a {_quoted(' '.join(option.values))}" if option.values else " -r"
        )
        yield f"complete -c {PROG} -n {condition} {names}{takes} -d {_quoted(option.help)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _label(name: str) -> str:
    return f"'{name}'"


def _function() -> str:
    return PROG.replace("-", "_")
