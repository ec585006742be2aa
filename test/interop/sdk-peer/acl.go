package main

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/nomad/api"
)

func read[T any](words []string) (*T, error) {
	value := new(T)
	return value, json.Unmarshal([]byte(strings.Join(words, " ")), value)
}

func answer(value any, index uint64, err error) (any, error) {
	return map[string]any{"found": value, "index": index}, err
}

// What an operator does with tokens, policies and roles; nil: none of these.
func (p *peer) acl(command string, words []string) (any, error, bool) {
	tokens, policies, roles := p.client.ACLTokens(), p.client.ACLPolicies(), p.client.ACLRoles()
	done := func(value any, err error) (any, error, bool) { return value, err, true }
	switch command {
	case "as":
		p.client.SetSecretID(strings.Join(words, ""))
		return done(map[string]any{}, nil)
	case "bootstrap":
		found, meta, err := tokens.Bootstrap(nil)
		if err != nil {
			return done(nil, err)
		}
		return done(answer(found, meta.LastIndex, err))
	case "token-create":
		one, err := read[api.ACLToken](words)
		if err != nil {
			return done(nil, err)
		}
		found, _, err := tokens.Create(one, nil)
		return done(answer(found, 0, err))
	case "token-rename":
		known, _, err := tokens.Info(words[0], nil)
		if err != nil {
			return done(nil, err)
		}
		known.Name = words[1]
		found, _, err := tokens.Update(known, nil)
		return done(answer(found, 0, err))
	case "token-self":
		found, _, err := tokens.Self(nil)
		return done(answer(found, 0, err))
	case "token-list":
		found, meta, err := tokens.List(nil)
		if err != nil {
			return done(nil, err)
		}
		return done(answer(found, meta.LastIndex, err))
	case "token-delete":
		_, err := tokens.Delete(words[0], nil)
		return done(answer(nil, 0, err))
	case "policy-upsert":
		one, err := read[api.ACLPolicy](words)
		if err != nil {
			return done(nil, err)
		}
		_, err = policies.Upsert(one, nil)
		return done(answer(nil, 0, err))
	case "policy-info":
		found, _, err := policies.Info(words[0], nil)
		return done(answer(found, 0, err))
	case "policy-list":
		found, _, err := policies.List(nil)
		return done(answer(found, 0, err))
	case "role-create":
		one, err := read[api.ACLRole](words)
		if err != nil {
			return done(nil, err)
		}
		found, _, err := roles.Create(one, nil)
		return done(answer(found, 0, err))
	case "role-named":
		found, _, err := roles.GetByName(words[0], nil)
		return done(answer(found, 0, err))
	case "role-list":
		found, _, err := roles.List(nil)
		return done(answer(found, 0, err))
	case "role-delete":
		_, err := roles.Delete(words[0], nil)
		return done(answer(nil, 0, err))
	case "nodes":
		found, _, err := p.client.Nodes().List(nil)
		return done(answer(found, 0, err))
	case "agent-self":
		_, err := p.client.Agent().Self()
		return done(answer(nil, 0, err))
	}
	return nil, nil, false
}
