// What HashiCorp's go-bexpr makes of filter expressions: one line of JSON in (an item and texts), one
// out (for each text: true, false, "syntax" or "item", and why).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/go-bexpr"
)

type question struct {
	Item  json.RawMessage
	Texts []string
}

type answer struct {
	Says string
	Why  string
}

func main() {
	fmt.Println(`{"ready":true}`)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		var q question
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			panic(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(q.Item)))
		decoder.UseNumber()
		var item map[string]interface{}
		if err := decoder.Decode(&item); err != nil {
			panic(err)
		}
		answers := []answer{}
		for _, text := range q.Texts {
			answers = append(answers, ask(text, item))
		}
		out, _ := json.Marshal(answers)
		fmt.Println(string(out))
	}
}

func ask(text string, item map[string]interface{}) (result answer) {
	defer func() {
		if why := recover(); why != nil {
			result = answer{"panic", fmt.Sprint(why)}
		}
	}()
	evaluator, err := bexpr.CreateEvaluator(text)
	if err != nil {
		return answer{"syntax", err.Error()}
	}
	matches, err := evaluator.Evaluate(item)
	if err != nil {
		return answer{"item", err.Error()}
	}
	return answer{fmt.Sprint(matches), ""}
}
