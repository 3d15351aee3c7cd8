package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"chancery.example/fault"
)

var cheap = argonCost{memory: 8, passes: 1, lanes: 1}

func TestHashesArePHC(t *testing.T) {
	h := newHashing(defaultCost)
	phc, err := h.make(context.Background(), "copper lantern orbit mosaic")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(phc, "$")
	if strings.Join(parts[:4], "$") != "$argon2id$v=19$m=65536,t=3,p=4" {
		t.Errorf("the hash begins %q, want the second recommended option of RFC 9106 4", parts[:4])
	}
	salt, _ := base64.RawStdEncoding.DecodeString(parts[4])
	want := base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("copper lantern orbit mosaic"), salt, 3, 65536, 4, 32))
	if len(salt) != 16 || parts[5] != want {
		t.Errorf("the tag is %q, want %q", parts[5], want)
	}
	for _, c := range []struct {
		password, phc string
		want          bool
	}{
		{"copper lantern orbit mosaic", phc, true},
		{"copper lantern orbit mosai", phc, false},
		{"", phc, false},
		{"copper lantern orbit mosaic", "", false},
	} {
		if got, err := h.check(context.Background(), c.password, c.phc); got != c.want || err != nil {
			t.Errorf("check(%q, %.20q) = %v, %v, want %v", c.password, c.phc, got, err, c.want)
		}
	}
}

func TestFloodsOfSignInsWaitInAShortQueue(t *testing.T) {
	h := newHashing(cheap)
	var mu sync.Mutex
	working, most := 0, 0
	release := make(chan struct{})
	n := cap(h.queue) + 20
	errs := make(chan error, n)
	for range n {
		go func() {
			errs <- h.in(context.Background(), func() {
				mu.Lock()
				working++
				most = max(most, working)
				mu.Unlock()
				<-release
				mu.Lock()
				working--
				mu.Unlock()
			})
		}()
	}
	for i := range 20 { // those for whom there is no place are told at once
		select {
		case err := <-errs:
			if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "sign-in.busy" {
				t.Fatalf("the refused number %d got %v", i, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was refused")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.in(ctx, func() {}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("somebody for whom there is no place got %v", err)
	}
	close(release)
	for range n - 20 {
		if err := <-errs; err != nil {
			t.Errorf("somebody who waited got %v", err)
		}
	}
	if most > cap(h.work) {
		t.Errorf("%d hashes were computed at once, want at most %d", most, cap(h.work))
	}
	for range cap(h.work) {
		h.work <- struct{}{}
	}
	if err := h.in(ctx, func() { t.Error("it ran without a place") }); !errors.Is(err, context.Canceled) {
		t.Errorf("who goes away while waiting got %v", err)
	}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, password, code string
	}{
		{"a few random words are fine", "copper lantern orbit mosaic", ""},
		{"short random characters are fine", "Kx7$wq!Zb2~f", ""},
		{"words of another script are fine", "лошадь скрепка батарея", ""},
		{"nine characters are short", "Kx7$wq!Zb", "password.short"},
		{"nine letters of two bytes are short", "лошадьяёж", "password.short"},
		{"a common word with digits is weak", "password12345", "password.weak"},
		{"one's own name is weak", "alice.liddell", "password.weak"},
		{"the name of the house is weak", "chancery2026", "password.weak"},
		{"keys beside each other are weak", "qwertyuiop", "password.weak"},
		{"a kilobyte is fine", "copper lantern orbit mosaic" + strings.Repeat("a", 900), ""},
		{"more than a kilobyte is not", strings.Repeat("copper lantern ", 80), "password.long"},
		{"a line break cannot be typed", "copper lantern\norbit mosaic", "password.characters"},
		{"what is no text is refused", "copper lantern \xff orbit", "password.characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckPassword(c.password, "Alice Liddell", "alice.liddell@example.com")
			if (c.code == "" && err != nil) || (c.code != "" && (!fault.Is(err, fault.Invalid) || fault.CodeOf(err) != c.code)) {
				t.Errorf("got %v (%s), want %q; score %d", err, fault.CodeOf(err), c.code, Strength(c.password))
			}
		})
	}
	start := time.Now()
	Strength(strings.Repeat("aB3$", 1<<18), strings.Repeat("x.", 1<<18))
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("scoring a megabyte took %v: the length is not capped", took)
	}
}

func TestStoredHashesThatAreRefused(t *testing.T) {
	good := newHashing(cheap).encode("x")
	if _, _, _, err := parsePHC(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"empty":                 func(string) string { return "" },
		"another algorithm":     func(s string) string { return strings.Replace(s, "argon2id", "argon2i", 1) },
		"another version":       func(s string) string { return strings.Replace(s, "v=19", "v=16", 1) },
		"a terabyte of memory":  func(s string) string { return strings.Replace(s, "m=8", "m=1073741824", 1) },
		"memory of no number":   func(s string) string { return strings.Replace(s, "m=8", "m=+8", 1) },
		"a million passes":      func(s string) string { return strings.Replace(s, "t=1", "t=1000000", 1) },
		"no lanes":              func(s string) string { return strings.Replace(s, "p=1", "p=0", 1) },
		"a parameter too many":  func(s string) string { return strings.Replace(s, "p=1", "p=1,x=1", 1) },
		"no tag":                func(s string) string { return s[:strings.LastIndex(s, "$")+1] },
		"a tag that is cut":     func(s string) string { return s[:len(s)-1] },
		"something after it":    func(s string) string { return s + "$" },
		"something in front":    func(s string) string { return "x" + s },
		"a text without an end": func(s string) string { return s + strings.Repeat("A", 1<<20) },
	} {
		if _, _, _, err := parsePHC(change(good)); !fault.Is(err, fault.Internal) || err == nil {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(newHashing(cheap).encode("x"))
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$dGFndGFndGFndGFndGFn")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, phc string) {
		cost, salt, tag, err := parsePHC(phc)
		if err != nil {
			return
		}
		if cost.memory > maxArgonMemory || cost.passes > maxArgonPasses || cost.lanes > maxArgonLanes || cost.lanes == 0 {
			t.Errorf("%q gives a cost out of bounds: %+v", phc, cost)
		}
		b64 := base64.RawStdEncoding
		if again := fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", cost.memory, cost.passes, cost.lanes, b64.EncodeToString(salt), b64.EncodeToString(tag)); again != phc {
			t.Errorf("%q is read as %q", phc, again)
		}
	})
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0", "::ffff:192.0.2.1", "@", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := parseAddr(s)
		if a.Zone() != "" || a.Is4In6() {
			t.Errorf("%q gives %v, which is not the one form of its address", s, a)
		}
		if key := (Client{Address: a}).Key(); key == "" || len(key) > 64 {
			t.Errorf("%q gives the key %q", s, key)
		}
	})
}
