// Seals and opens 1,400-byte packets as memberlist does (AES-GCM, fresh nonce, version byte) and
// prints the median nanoseconds of each over some rounds, as JSON.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"time"
)

const (
	packetBytes = 1400
	perRound    = 20000
	rounds      = 7
)

func seal(key, plain []byte) []byte {
	block, _ := aes.NewCipher(key)
	gcm, _ := cipher.NewGCM(block)
	out := make([]byte, 13, 13+len(plain)+16)
	out[0] = 1
	if _, err := io.ReadFull(rand.Reader, out[1:13]); err != nil {
		panic(err)
	}
	return gcm.Seal(out, out[1:13], plain, nil)
}

func open(key, sealed []byte) []byte {
	block, _ := aes.NewCipher(key)
	gcm, _ := cipher.NewGCM(block)
	plain, err := gcm.Open(nil, sealed[1:13], sealed[13:], nil)
	if err != nil {
		panic(err)
	}
	return plain
}

func median(work func()) float64 {
	times := []float64{}
	for round := 0; round < rounds; round++ {
		start := time.Now()
		for i := 0; i < perRound; i++ {
			work()
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/perRound)
	}
	sort.Float64s(times)
	return times[rounds/2]
}

func main() {
	key, plain := make([]byte, 16), make([]byte, packetBytes)
	sealed := seal(key, plain)
	line, _ := json.Marshal(map[string]float64{
		"seal": median(func() { seal(key, plain) }),
		"open": median(func() { open(key, sealed) }),
	})
	fmt.Println(string(line))
}
