"""The scripts that complete commands in a shell, and the command that writes them: completion.

They ask the program itself, see completing.py. Bash also completes `python -m tracking` and `python -m sweeps`, and leaves
other calls of python to the completion that was there before, such as that of a Hydra app.
"""

import os
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated

import typer

from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import JsonOption


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


SCRIPTS = {
    Shell.BASH: r"""# Complete the words after the first $1 by what the command in the other arguments answers.
_podium_ask() {
    local first=$1 rest=${COMP_LINE:-"${COMP_WORDS[*]}"} word words=() last typed plain begin
    shift
    # Bash also splits words at =, : and @, which belong to one argument here.
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -gt 0 && $rest != [[:space:]]* ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#*"$word"}
    done
    typed=${COMP_WORDS[COMP_CWORD]}
    for word in "${!words[@]}"; do
        words[word]=$(_podium_unquoted "${words[word]}")
    done
    # Bash replaces only what follows the last = or :, and what begins with the last @.
    last=${words[${#words[@]}-1]} plain=$(_podium_unquoted "$typed")
    [[ $typed == [=:] ]] && plain=
    while IFS= read -r word; do
        begin=${last%"$plain"}
        word=${word#"${begin%@}"}
        # Within quotes bash closes them itself.
        [[ $typed == [\"\']* || $word != *[[:space:]\"\'\`\$\&\|\;\(\)\<\>\*\?\[\!\#\\]* ]] || printf -v word %q "$word"
        COMPREPLY+=("$word")
    done < <("$@" --complete "${words[@]:first}" 2>/dev/null)
    [[ ${COMPREPLY[0]} == *[=./] ]] && compopt -o nospace 2>/dev/null
    return 0
}
# Write a word as the shell will pass it on: without its quotes, nothing replaced.
_podium_unquoted() {
    local text=$1
    case $text in
        \'*) text=${text#\'} text=${text%\'} ;;
        \"*) text=${text#\"} text=${text%\"} ;;
    esac
    printf %s "${text//\\/}"
}
_podium() {
    COMPREPLY=()
    _podium_ask 1 "${COMP_WORDS[0]}"
}
_podium_tracking() {
    COMPREPLY=()
    if [[ ${COMP_WORDS[1]} == -m && $COMP_CWORD -gt 2 && ${COMP_WORDS[2]} =~ ^(tracking|sweeps)$ ]]; then
        _podium_ask 3 "${COMP_WORDS[0]}" -m "${COMP_WORDS[2]}"
    elif [[ -n $_podium_before ]]; then
        [[ $_podium_options == *nospace* ]] && compopt -o nospace 2>/dev/null
        "$_podium_before" "$@"
    fi
}
_podium_found=$(complete -p python 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
[[ $_podium_found != _podium_tracking ]] && _podium_before=$_podium_found _podium_options=$(complete -p python 2>/dev/null)
complete -o bashdefault -o default -F _podium podium
complete -o bashdefault -o default -F _podium_tracking python python3
""",
    Shell.ZSH: r"""(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_podium() {
    local -a found
    found=(${(f)"$(${words[1]} --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ! $#found )); then
        _files
        return
    fi
    compadd -- ${found:#*[=./]}
    compadd -S '' -- ${(M)found:#*[=./]}
}
compdef _podium podium
""",
    Shell.FISH: r"""function __podium_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] --complete $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c podium -f -a '(__podium_complete)'
""",
}


def completion(
    shell: Annotated[Shell | None, typer.Argument(help="The shell; by default that of $SHELL.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the script that completes commands in a shell.

    It completes commands, options, experiments, runs, sweeps, models, metrics and fields, and with Hydra's own completion
    what follows train. In zsh add it to ~/.zshrc; in fish write it to ~/.config/fish/completions/podium.fish.

    Example: python -m tracking completion bash >> ~/.bashrc
    """
    usual = PurePath(os.environ.get("SHELL", "")).name
    shell = shell or (Shell(usual) if usual in tuple(Shell) else Shell.BASH)
    script = SCRIPTS[shell]
    output.say_json({shell.value: script}) if as_json else output.say(script.rstrip())
