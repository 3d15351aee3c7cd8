package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/matching"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"chancery.example/fault"
)

// Bounds of passwords and of their stored form.
const (
	maxPassword     = 1024 // bytes; longer ones are refused before any work is done
	minPassword     = 10   // characters
	minScore        = 3    // of 4, as zxcvbn counts: more than 10^8 guesses
	scoredPassword  = 64   // characters that are scored; the rest can only make it stronger
	maxLeet         = 24   // characters up to which digits and signs are read as letters
	maxArgonMemory  = 256 << 10
	maxArgonPasses  = 16
	maxArgonLanes   = 16
	maxArgonText    = 256
	argonSaltLength = 16
	argonTagLength  = 32
)

// argonCost says how dear a guess is.
type argonCost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// defaultCost is the second recommended option of RFC 9106 4: 64 MiB, three passes, four lanes.
var defaultCost = argonCost{memory: 64 << 10, passes: 3, lanes: 4}

// hashing hashes passwords, few at a time: a flood of sign-ins waits in a short queue instead of taking the memory of
// the machine.
type hashing struct {
	cost  argonCost
	work  chan struct{} // a place for each hash being computed
	queue chan struct{} // a place for each caller that waits or works
	dummy string        // a hash that no password has, for constant work
	done  atomic.Int64  // how many were computed
}

func newHashing(cost argonCost) *hashing {
	n := max(1, runtime.GOMAXPROCS(0))
	h := &hashing{cost: cost, work: make(chan struct{}, n), queue: make(chan struct{}, 32*n)}
	// A random tag that no password has: checking against it costs what every check costs.
	tag := make([]byte, argonTagLength)
	rand.Read(tag)
	h.dummy = h.phc(newSalt(), tag)
	return h
}

// in runs f when there is a place for it, or refuses with fault.Unavailable.
func (h *hashing) in(ctx context.Context, f func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return fault.New(fault.Unavailable, "sign-in.busy", "Many people are signing in right now. Please try again in a moment.")
	}
	select {
	case h.work <- struct{}{}:
		defer func() { <-h.work }()
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Unavailable, "sign-in.busy", "Many people are signing in right now. Please try again in a moment.")
	}
	f()
	h.done.Add(1)
	return nil
}

// make hashes a new password.
func (h *hashing) make(ctx context.Context, password string) (phc string, err error) {
	err = h.in(ctx, func() { phc = h.encode(password) })
	return phc, err
}

// check compares a password with a stored hash, and with nobody's where there is none: both cost the same.
func (h *hashing) check(ctx context.Context, password, phc string) (ok bool, err error) {
	known := phc != ""
	if !known || len(password) > maxPassword {
		phc, known = h.dummy, false
	}
	cost, salt, tag, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	err = h.in(ctx, func() {
		got := argon2.IDKey(normal(password[:min(len(password), maxPassword)]), salt, cost.passes, cost.memory, cost.lanes, uint32(len(tag)))
		ok = subtle.ConstantTimeCompare(got, tag) == 1
	})
	return ok && known, err
}

// outdated reports whether a stored hash was made at another cost than new ones are.
func (h *hashing) outdated(phc string) bool {
	cost, _, _, err := parsePHC(phc)
	return err != nil || cost != h.cost
}

func (h *hashing) encode(password string) string {
	salt := newSalt()
	return h.phc(salt, argon2.IDKey(normal(password), salt, h.cost.passes, h.cost.memory, h.cost.lanes, argonTagLength))
}

func newSalt() []byte {
	salt := make([]byte, argonSaltLength)
	rand.Read(salt)
	return salt
}

// phc writes a hash as text, with what is needed to check a password against it.
func (h *hashing) phc(salt, tag []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memory, h.cost.passes, h.cost.lanes,
		b64.EncodeToString(salt), b64.EncodeToString(tag))
}

// normal is the form in which a password is hashed: keyboards and systems write the same letters differently
// (NIST SP 800-63B 5.1.1.2 names NFKC).
func normal(password string) []byte { return []byte(norm.NFKC.String(password)) }

// parsePHC reads $argon2id$v=19$m=…,t=…,p=…$salt$tag with parameters within bounds.
func parsePHC(phc string) (cost argonCost, salt, tag []byte, err error) {
	bad := func(why string) (argonCost, []byte, []byte, error) {
		return argonCost{}, nil, nil, fault.New(fault.Internal, "access.phc", "A stored password hash cannot be read: %s.", why)
	}
	parts := strings.Split(phc[:min(len(phc), maxArgonText)], "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("it is not of the form argon2id, version 19")
	}
	var m, t, p uint32
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil || n != 3 || fmt.Sprintf("m=%d,t=%d,p=%d", m, t, p) != parts[3] {
		return bad("its parameters are malformed")
	}
	if m < 8 || m > maxArgonMemory || t < 1 || t > maxArgonPasses || p < 1 || p > maxArgonLanes {
		return bad("its parameters are out of bounds")
	}
	b64 := base64.RawStdEncoding.Strict()
	salt, err = b64.DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return bad("its salt is malformed")
	}
	tag, err = b64.DecodeString(parts[5])
	if err != nil || len(tag) < 16 || len(tag) > 64 {
		return bad("its tag is malformed")
	}
	return argonCost{memory: m, passes: t, lanes: uint8(p)}, salt, tag, nil
}

// Strength scores a password from 0 (guessed at once) to 4 (very unlikely to be guessed), as zxcvbn does, with the
// words that an attacker would try first: names, addresses. Only its first 64 characters count. Longer ones than 24 characters
// are taken as they stand: reading digits and signs as letters in every combination takes most of a second for a long row of them.
func Strength(password string, about ...string) int {
	runes := []rune(password)
	if len(runes) == 0 {
		return 0
	}
	if len(runes) > scoredPassword {
		password = string(runes[:scoredPassword])
	}
	words := []string{"chancery"}
	for _, a := range about {
		for _, w := range strings.FieldsFunc(a, func(c rune) bool { return strings.ContainsRune(" @.-_+", c) }) {
			if len(words) < 20 && len(w) > 2 && len(w) <= 64 {
				words = append(words, strings.ToLower(w))
			}
		}
	}
	if len(runes) > maxLeet {
		return zxcvbn.PasswordStrength(password, words, matching.FilterL33tMatcher).Score
	}
	return zxcvbn.PasswordStrength(password, words).Score
}

// CheckPassword refuses a new password that is malformed, short or easy to guess with fault.Invalid.
func CheckPassword(password string, about ...string) error {
	switch {
	case len(password) > maxPassword:
		return fault.New(fault.Invalid, "password.long", "This password is too long: at most %d bytes.", maxPassword).With("most", strconv.Itoa(maxPassword))
	case !utf8.ValidString(password) || strings.ContainsFunc(password, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fault.New(fault.Invalid, "password.characters", "This password holds characters that cannot be typed. Please choose others.")
	case utf8.RuneCountInString(password) < minPassword:
		return fault.New(fault.Invalid, "password.short", "This password is too short: at least %d characters. A few random words are easy to remember.", minPassword).
			With("least", strconv.Itoa(minPassword))
	case Strength(password, about...) < minScore:
		return fault.New(fault.Invalid, "password.weak", "This password is easy to guess. A few random words are better than one word with digits.")
	}
	return nil
}
