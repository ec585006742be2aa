// Evaluates templates by the real go-sockaddr: one JSON string a line in, one JSON object a line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/go-sockaddr/template"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			panic(err)
		}
		answer := map[string]string{}
		if out, err := template.Parse(text); err != nil {
			answer["error"] = err.Error()
		} else {
			answer["text"] = out
		}
		line, _ := json.Marshal(answer)
		fmt.Println(string(line))
	}
}
