package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

func (p *Program) completionCommand() command {
	return command{
		name:     "completion",
		operands: "bash|zsh|fish",
		summary:  "print the completion script of a shell",
		about: `Prints a script that lets a shell complete the commands and flags of this version.
In bash, source it from ~/.bashrc; in zsh, from ~/.zshrc, after compinit; in fish,
write it to ~/.config/fish/completions/strongroom.fish.`,
		example: `strongroom completion bash >strongroom.bash
source strongroom.bash`,
		setup: func(*flagSet) func(context.Context, []string) error {
			return func(_ context.Context, operands []string) error {
				if len(operands) == 1 {
					switch operands[0] {
					case "bash":
						return p.completeBash(p.Stdout)
					case "zsh":
						return p.completeZsh(p.Stdout)
					case "fish":
						return p.completeFish(p.Stdout)
					}
				}
				return usagef("completion takes one shell: bash, zsh or fish")
			}
		},
	}
}

// completed is what a shell may complete after some words.
type completed struct {
	after string // the words of the command so far: "", "user", "user add"
	next  []candidate
}

// candidate is a word that may come next.
type candidate struct{ word, about string }

// completions are those of all commands, made from their table.
func (p *Program) completions() []completed {
	first := completed{}
	var groups, flags []completed
	for _, cmd := range p.commands() {
		words := strings.Fields(cmd.name)
		if len(words) == 1 {
			first.next = append(first.next, candidate{words[0], cmd.summary})
		} else {
			if n := len(groups); n == 0 || groups[n-1].after != words[0] {
				groups = append(groups, completed{after: words[0]})
				first.next = append(first.next, candidate{words[0], "commands about a " + words[0]})
			}
			group := &groups[len(groups)-1]
			group.next = append(group.next, candidate{words[1], cmd.summary})
		}
		own := completed{after: cmd.name}
		set := p.newFlagSet(cmd)
		cmd.setup(set)
		set.set.VisitAll(func(f *flag.Flag) {
			_, usage := flag.UnquoteUsage(f)
			usage, _, _ = strings.Cut(usage, "\n")
			own.next = append(own.next, candidate{"--" + f.Name, usage})
		})
		own.next = append(own.next, candidate{"--help", "show how it is used"})
		flags = append(flags, own)
	}
	return append(append([]completed{first}, groups...), flags...)
}

func (c completed) words() string {
	var words []string
	for _, next := range c.next {
		words = append(words, next.word)
	}
	return strings.Join(words, " ")
}

// chooseWords is the part that bash and zsh share: it sets next to the words that
// may follow $one and $two, the first two words after the program's name.
func (p *Program) chooseWords() string {
	var b strings.Builder
	b.WriteString("    case \"$one $two\" in\n")
	all := p.completions()
	// Longer ones first: a command of two words before its group.
	for i := len(all) - 1; i > 0; i-- {
		pattern := strings.ReplaceAll(all[i].after, " ", `\ `)
		if !strings.Contains(all[i].after, " ") {
			pattern += `\ *`
		}
		fmt.Fprintf(&b, "    %s) next=%q ;;\n", pattern, all[i].words())
	}
	fmt.Fprintf(&b, "    *) next=%q ;;\n    esac\n", all[0].words())
	return b.String()
}

func (p *Program) completeBash(w io.Writer) error {
	_, err := fmt.Fprintf(w, `# Completion of strongroom for bash.
_strongroom() {
    local next one="" two=""
    [ "$COMP_CWORD" -gt 1 ] && one=${COMP_WORDS[1]}
    [ "$COMP_CWORD" -gt 2 ] && two=${COMP_WORDS[2]}
%s    COMPREPLY=($(compgen -W "$next" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _strongroom strongroom
`, p.chooseWords())
	return err
}

func (p *Program) completeZsh(w io.Writer) error {
	_, err := fmt.Fprintf(w, `#compdef strongroom
# Completion of strongroom for zsh.
_strongroom() {
    local next one="" two=""
    (( CURRENT > 2 )) && one=${words[2]}
    (( CURRENT > 3 )) && two=${words[3]}
%s    compadd -- ${=next} || true
    [[ $PREFIX == -* ]] || _files
}
compdef _strongroom strongroom
`, p.chooseWords())
	return err
}

func (p *Program) completeFish(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Completion of strongroom for fish.
function __strongroom_after
    set -l said (commandline -opc)
    set -l last (math (count $argv) + 1)
    test (count $said) -ge $last; or return 1
    test (count $argv) -eq 0; or test "$said[2..$last]" = "$argv"
end
function __strongroom_alone
    test (count (commandline -opc)) -eq (math (count $argv) + 1); and __strongroom_after $argv
end
`)
	for _, c := range p.completions() {
		for _, next := range c.next {
			about := strings.ReplaceAll(strings.ReplaceAll(next.about, `\`, `\\`), "'", `\'`)
			if long, ok := strings.CutPrefix(next.word, "--"); ok {
				fmt.Fprintf(&b, "complete -c strongroom -n '__strongroom_after %s' -l %s -d '%s'\n", c.after, long, about)
				continue
			}
			fmt.Fprintf(&b, "complete -c strongroom -f -n '__strongroom_alone %s' -a %s -d '%s'\n", c.after, next.word, about)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
