/** Scripts that make a shell ask this program how a line of its may go on. */
import { CommandError } from "./output.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** @throws CommandError */
export function completionScript(shell: string, program = "nomad"): string {
  const known = SHELLS.find((one) => one === shell);
  if (known === undefined) {
    throw new CommandError(`there is no completion for '${shell}': it is ${SHELLS.join(", ")}`);
  }
  return SCRIPTS[known](program);
}

const SCRIPTS: Readonly<Record<Shell, (program: string) => string>> = {
  bash: (program) => completeCommand(program),
  zsh: zshFunction,
  fish: fishFunction,
};

/** bash's own way to ask a program. Where it has no answer, files are meant. */
export function completeCommand(program: string): string {
  return `complete -o default -C ${program} nomad`;
}

function zshFunction(program: string): string {
  return `#compdef nomad

_nomad() {
  local -a found
  found=("\${(@f)$(COMP_LINE="\${(j: :)words[1,CURRENT]}" ${program} 2>/dev/null)}")
  found=(\${found:#})
  if (( \${#found} )); then
    compadd -- "\${found[@]}"
  else
    _files
  fi
}

# As a file of $fpath it is the function's body; by eval or source it names itself.
if [ "\${funcstack[1]}" = "_nomad" ]; then
  _nomad "$@"
else
  compdef _nomad nomad
fi`;
}

function fishFunction(program: string): string {
  return `function __nomad_complete
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    set -l found (${program} 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -f -c nomad -a '(__nomad_complete)'`;
}
