// A list of texts comes in as one line of JSON; what HashiCorp's HCL 1, as Nomad links it, makes of
// each goes out: its leaves as [path, kind, value], or an error.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/token"
)

type leaf [3]string

type answer struct {
	Leaves []leaf `json:"leaves"`
	Error  string `json:"error,omitempty"`
}

func main() {
	fmt.Println(`{"ready":true}`)
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var texts []string
		if err := json.Unmarshal(line, &texts); err != nil {
			panic(err)
		}
		answers := make([]answer, 0, len(texts))
		for _, text := range texts {
			answers = append(answers, read(text))
		}
		out.Encode(answers)
	}
}

// The library panics on some texts, as Nomad then does.
func read(text string) (found answer) {
	found.Leaves = []leaf{}
	defer func() {
		if wrong := recover(); wrong != nil {
			found.Error = fmt.Sprint("panic: ", wrong)
		}
	}()
	file, err := hcl.Parse(text)
	if err != nil {
		return answer{Error: err.Error(), Leaves: []leaf{}}
	}
	walk(nil, file.Node, &found.Leaves)
	return found
}

func walk(path []string, node ast.Node, leaves *[]leaf) {
	add := func(kind string, value string) {
		*leaves = append(*leaves, leaf{strings.Join(path, "\x1f"), kind, value})
	}
	switch n := node.(type) {
	case *ast.ObjectType:
		walk(path, n.List, leaves)
	case *ast.ObjectList:
		if len(n.Items) == 0 && len(path) > 0 {
			add("body", "")
		}
		for _, item := range n.Items {
			inner := append([]string{}, path...)
			for _, key := range item.Keys {
				inner = append(inner, key.Token.Value().(string))
			}
			walk(inner, item.Val, leaves)
		}
	case *ast.ListType:
		add("list", fmt.Sprint(len(n.List)))
		for i, one := range n.List {
			walk(append(append([]string{}, path...), fmt.Sprint("#", i)), one, leaves)
		}
	case *ast.LiteralType:
		switch n.Token.Type {
		case token.STRING, token.HEREDOC:
			add("text", n.Token.Value().(string))
		case token.BOOL:
			add("bool", n.Token.Text)
		default:
			add("number", n.Token.Text)
		}
	}
}
