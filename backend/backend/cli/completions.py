"""Shell completion: scripts for bash, zsh and fish that ask the command line itself what may come next."""

from __future__ import annotations

from pathlib import Path

from typer.completion import get_completion_inspect_parameters

VARIABLE = "_CLEANPLATE_COMPLETE"
SCRIPTS = {
    "bash": """\
_cleanplate_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(variable)s=complete_bash %(program)s ) )
}
complete -o default -F _cleanplate_completion cleanplate""",
    "zsh": """\
#compdef cleanplate
_cleanplate_completion() {
    eval $(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" %(variable)s=complete_zsh %(program)s)
}
compdef _cleanplate_completion cleanplate""",
    "fish": """\
function __cleanplate_complete
    set --local --export %(variable)s complete_fish
    set --local --export _TYPER_COMPLETE_FISH_ACTION $argv[1]
    set --local --export _TYPER_COMPLETE_ARGS (commandline -cp)
    %(program)s
end
complete --command cleanplate --no-files --condition "__cleanplate_complete is-args" \\
    --arguments "(__cleanplate_complete get-args)\"""",
}


def script(shell: str, program: Path) -> str:
    """Return what a shell has to read; the program is asked wherever it is called from, and under whichever path."""
    quoted = "'" + str(program).replace("'", "'\\''") + "'"
    return SCRIPTS[shell] % {"variable": VARIABLE, "program": quoted}


def answer_shells() -> None:
    """Let the command line answer when a shell asks; typer does so by itself only with its own options to install."""
    get_completion_inspect_parameters()
