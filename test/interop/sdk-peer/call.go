package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// What a test asks for: a method by its way from the client, as "Nodes.Meta.Read", its arguments as
// JSON, and the token that it is called with.
type call struct {
	Method string
	With   []json.RawMessage
	Token  string
}

// A method's results, what of the answer the client does not know, and what it misses in it.
type outcome struct {
	Got     []any        `json:"got"`
	Unknown []string     `json:"unknown,omitempty"`
	Missing []string     `json:"missing,omitempty"`
	Error   *callFailure `json:"error,omitempty"`
}

// What a caller of the client can find out of an error.
type callFailure struct {
	Text   string `json:"text"`
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
}

func (p *peer) call(text string) (any, error) {
	var asked call
	if err := json.Unmarshal([]byte(text), &asked); err != nil {
		return nil, err
	}
	p.client.SetSecretID(asked.Token)
	method, err := methodOf(reflect.ValueOf(p.client), strings.Split(asked.Method, "."))
	if err != nil {
		return nil, err
	}
	with, err := argumentsOf(method.Type(), asked.With)
	if err != nil {
		return nil, err
	}
	p.heard.body = nil
	results := method.Call(with)
	last := len(results) - 1
	if failed, ok := results[last].Interface().(error); ok {
		return outcome{Error: failureOf(failed)}, nil
	}
	if results[last].Type() == reflect.TypeFor[error]() {
		results = results[:last]
	}
	return p.shownOf(results)
}

func failureOf(err error) *callFailure {
	found := &callFailure{Text: err.Error()}
	var unexpected api.UnexpectedResponseError
	if errors.As(err, &unexpected) {
		found.Status, found.Body = unexpected.StatusCode(), unexpected.Body()
	}
	return found
}

func methodOf(from reflect.Value, way []string) (reflect.Value, error) {
	method := from.MethodByName(way[0])
	if !method.IsValid() {
		return method, fmt.Errorf("%s has no method %s", from.Type(), way[0])
	}
	if len(way) == 1 {
		return method, nil
	}
	return methodOf(method.Call(nil)[0], way[1:])
}

// Those that are left out are zero.
func argumentsOf(method reflect.Type, given []json.RawMessage) ([]reflect.Value, error) {
	var with []reflect.Value
	for i := range max(method.NumIn(), len(given)) {
		wanted := method.In(min(i, method.NumIn()-1))
		if method.IsVariadic() && i >= method.NumIn()-1 {
			if i >= len(given) {
				break
			}
			wanted = wanted.Elem()
		}
		one := reflect.New(wanted)
		if i < len(given) {
			if err := readInto(one, given[i]); err != nil {
				return nil, err
			}
		}
		with = append(with, one.Elem())
	}
	return with, nil
}

// A reader's argument is the name of a file.
func readInto(target reflect.Value, text json.RawMessage) error {
	if target.Type() != reflect.TypeFor[*io.Reader]() {
		return json.Unmarshal(text, target.Interface())
	}
	var name string
	if err := json.Unmarshal(text, &name); err != nil {
		return err
	}
	file, err := os.Open(name)
	if err == nil {
		target.Elem().Set(reflect.ValueOf(file))
	}
	return err
}

func (p *peer) shownOf(results []reflect.Value) (any, error) {
	found := outcome{Got: []any{}}
	for _, result := range results {
		switch value := result.Interface().(type) {
		case io.ReadCloser:
			// Its checksum is looked at on the way.
			file, err := os.CreateTemp("", "sdk-peer-")
			if err != nil {
				return nil, err
			}
			_, err = io.Copy(file, value)
			if err := errors.Join(err, value.Close(), file.Close()); err != nil {
				return nil, err
			}
			found.Got = append(found.Got, file.Name())
		case []byte:
			found.Got = append(found.Got, string(value))
		case <-chan *api.StreamFrame:
			frame, err := firstFrame(value, results[len(results)-1].Interface().(<-chan error))
			if err != nil {
				return outcome{Error: failureOf(err)}, nil
			}
			found.Got = append(found.Got, string(frame.Data))
		case <-chan error:
		default:
			found.Got = append(found.Got, value)
		}
	}
	if p.heard.body != nil && len(results) > 0 {
		var answer any
		if err := json.Unmarshal(p.heard.body, &answer); err != nil {
			return nil, fmt.Errorf("the answer is not JSON: %w", err)
		}
		found.Unknown, found.Missing = fieldsOf(answer, results[0].Type())
	}
	return found, nil
}

func firstFrame(frames <-chan *api.StreamFrame, failed <-chan error) (*api.StreamFrame, error) {
	select {
	case frame, ok := <-frames:
		if ok {
			return frame, nil
		}
		return nil, <-failed
	case err := <-failed:
		return nil, err
	case <-time.After(patience):
		return nil, fmt.Errorf("no frame within %s", patience)
	}
}
