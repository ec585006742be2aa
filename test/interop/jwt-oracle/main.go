// What go-jose, by which Nomad signs and checks its tokens, makes of ours, and tokens of its own for
// us to judge: one line of JSON in, one out.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

type question struct {
	// A key set, a token, and the moment at which it is looked at.
	Keys  json.RawMessage
	Token string
	Now   int64
	// A key (the 32 bytes of its seed), the claims and headers of a token that it signs.
	Seed   string
	KeyID  string
	Claims map[string]any
}

type answer struct {
	Claims map[string]any
	Token  string
	Public string
	Error  string
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
		result, err := ask(q)
		if err != nil {
			result.Error = err.Error()
		}
		out, _ := json.Marshal(result)
		fmt.Println(string(out))
	}
}

func ask(q question) (answer, error) {
	if q.Seed != "" {
		return sign(q)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(q.Keys, &keys); err != nil {
		return answer{}, err
	}
	token, err := jwt.ParseSigned(q.Token, []jose.SignatureAlgorithm{jose.EdDSA, jose.RS256})
	if err != nil {
		return answer{}, err
	}
	for _, header := range token.Headers {
		if len(keys.Key(header.KeyID)) != 1 {
			return answer{}, fmt.Errorf("no key %q", header.KeyID)
		}
	}
	var standard jwt.Claims
	var all map[string]any
	if err := token.Claims(&keys, &standard, &all); err != nil {
		return answer{}, err
	}
	expected := jwt.Expected{
		AnyAudience: jwt.Audience{"nomadproject.io"},
		Time:        time.Unix(q.Now, 0),
	}
	return answer{Claims: all}, standard.ValidateWithLeeway(expected, 0)
}

func sign(q question) (answer, error) {
	seed, err := base64.StdEncoding.DecodeString(q.Seed)
	if err != nil {
		return answer{}, err
	}
	private := ed25519.NewKeyFromSeed(seed)
	options := (&jose.SignerOptions{}).WithHeader("kid", q.KeyID).WithType("JWT")
	key := jose.SigningKey{Algorithm: jose.EdDSA, Key: private}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		return answer{}, err
	}
	token, err := jwt.Signed(signer).Claims(q.Claims).Serialize()
	public := private.Public().(ed25519.PublicKey)
	return answer{Token: token, Public: base64.StdEncoding.EncodeToString(public)}, err
}
