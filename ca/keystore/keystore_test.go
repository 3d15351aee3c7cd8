package keystore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"chancery.example/fault"
)

const secret = "correct horse battery staple"

func cheap() Protection { return Passphrase(secret).WithWorkFactor(minWorkFactor) }

func says(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func newStore(t *testing.T, p Protection) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	s, err := Create(dir, p)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func mustGenerate(t *testing.T, s *Store, name string, alg Algorithm) *Key {
	t.Helper()
	k, err := s.Generate(name, alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// mustBe checks a refusal: its kind, its code, and that its sentence is one.
func mustBe(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Fatalf("got %v (kind %v, code %s), want kind %v, code %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
	if s := fault.Sentence(err); len(s) < 20 || strings.Contains(s, "%!") {
		t.Errorf("no sentence for a person: %q", s)
	}
}

func TestEveryAlgorithmSignsAfterItWasKept(t *testing.T) {
	s, dir := newStore(t, Clear())
	for _, alg := range []Algorithm{P256, P384, P521, RSA3072, RSA4096} {
		t.Run(string(alg), func(t *testing.T) {
			if alg == RSA4096 && testing.Short() {
				t.Skip("RSA-4096 takes seconds to make")
			}
			name := strings.ToLower(string(alg))
			made := mustGenerate(t, s, name, alg)
			again, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			k, err := again.Key(name)
			if err != nil {
				t.Fatal(err)
			}
			if k.Algorithm() != alg || k.Name() != name || !sameKey(made.Public(), k.Public()) {
				t.Fatalf("came back as %v", k)
			}
			digest := sha256.Sum256([]byte("letter"))
			sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			public, err := again.Public(name)
			if err != nil {
				t.Fatal(err)
			}
			switch p := public.(type) {
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(p, digest[:], sig) {
					t.Error("the signature does not hold")
				}
			case *rsa.PublicKey:
				if err := rsa.VerifyPKCS1v15(p, crypto.SHA256, digest[:], sig); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestNothingReadableLiesOnDisk(t *testing.T) {
	s, dir := newStore(t, cheap())
	mustGenerate(t, s, "root", P384)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder mode is %v, %v", info.Mode(), err)
	}
	files, _ := os.ReadDir(dir)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		info, _ := f.Info()
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"PRIVATE KEY", "AGE-SECRET-KEY", secret, dir} {
			if bytes.Contains(content, []byte(word)) {
				t.Errorf("%s holds %q", f.Name(), word)
			}
		}
	}
	if want := []string{"house.key", "root.age", "root.pub"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

func TestPassphrases(t *testing.T) {
	_, dir := newStore(t, cheap())
	asked := errors.New("no terminal")
	for _, c := range []struct {
		name string
		ask  func() (string, error)
		kind fault.Kind
		code string
	}{
		{"nobody can be asked", nil, fault.Denied, "keystore.passphrase-needed"},
		{"a wrong passphrase", says("incorrect horse battery"), fault.Denied, "keystore.passphrase"},
		{"an empty passphrase", says(""), fault.Denied, "keystore.passphrase"},
		{"the asking fails", func() (string, error) { return "", asked }, fault.Internal, "internal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(dir, c.ask)
			if c.name == "the asking fails" {
				if !errors.Is(err, asked) {
					t.Errorf("got %v", err)
				}
				return
			}
			mustBe(t, err, c.kind, c.code)
		})
	}
	t.Run("the right one opens", func(t *testing.T) {
		s, err := Open(dir, says(secret))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Protected() || s.Warning() != "" {
			t.Error("a protected store warns")
		}
	})
	t.Run("a short one is refused before anything is written", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "keys")
		_, err := Create(dir, Passphrase("short"))
		mustBe(t, err, fault.Invalid, "keystore.passphrase-short")
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Error("the folder was made")
		}
	})
	t.Run("a work factor that would take all memory is refused", func(t *testing.T) {
		_, err := Create(t.TempDir(), Passphrase(secret).WithWorkFactor(30))
		mustBe(t, err, fault.Invalid, "keystore.work-factor")
	})
}

func TestProtectChangesTheIdentityOnly(t *testing.T) {
	s, dir := newStore(t, Clear())
	mustGenerate(t, s, "issuing", P256)
	before, err := os.ReadFile(filepath.Join(dir, "issuing.age"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Warning(), "passphrase") {
		t.Errorf("no warning for an identity in clear: %q", s.Warning())
	}
	for _, step := range []struct {
		name string
		to   Protection
		ask  func() (string, error)
	}{
		{"from clear to a passphrase", cheap(), says(secret)},
		{"to another passphrase", Passphrase("another long passphrase").WithWorkFactor(minWorkFactor), says("another long passphrase")},
		{"back to clear", Clear(), nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := s.Protect(step.to); err != nil {
				t.Fatal(err)
			}
			again, err := Open(dir, step.ask)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Check("issuing"); err != nil {
				t.Error(err)
			}
			if again.Protected() != (step.ask != nil) {
				t.Error("Protected is wrong")
			}
			s = again
		})
	}
	after, err := os.ReadFile(filepath.Join(dir, "issuing.age"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key file changed: %v", err)
	}
}

func TestAnOfflineRoot(t *testing.T) {
	s, dir := newStore(t, Clear())
	root := mustGenerate(t, s, "root", P384)
	mustGenerate(t, s, "issuing", P256)
	safe := filepath.Join(t.TempDir(), "root.age")
	if err := os.Rename(filepath.Join(dir, "root.age"), safe); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check("issuing"); err != nil {
		t.Errorf("normal work needs no root: %v", err)
	}
	if public, err := s.Public("root"); err != nil || !sameKey(public, root.Public()) {
		t.Errorf("the root's public key is gone: %v", err)
	}
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"issuing", "root"}) {
		t.Errorf("names %q, %v", names, err)
	}
	if !s.Offline("root") || s.Offline("issuing") || s.Offline("nobody") {
		t.Error("Offline is wrong")
	}
	_, err = s.Key("root")
	mustBe(t, err, fault.Unavailable, "keystore.offline")
	if !strings.Contains(fault.Sentence(err), "root.age") {
		t.Errorf("the sentence does not name the file: %s", fault.Sentence(err))
	}
	err = s.Check("root", "issuing", "third")
	mustBe(t, err, fault.Unavailable, "keystore.incomplete")
	if say := fault.Sentence(err); !strings.Contains(say, "root.age") || !strings.Contains(say, `"third"`) {
		t.Errorf("not all that is missing is said: %s", say)
	}
	_, err = s.Generate("root", P384)
	mustBe(t, err, fault.Conflict, "keystore.exists")
	if err := os.Rename(safe, filepath.Join(dir, "root.age")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Key("root"); err != nil {
		t.Errorf("the root came back but does not open: %v", err)
	}
}

func TestTheHouseMovesToAnotherMachine(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Protection
		ask  func() (string, error)
	}{{"in clear", Clear(), nil}, {"protected", cheap(), says(secret)}} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := newStore(t, c.p)
			made := mustGenerate(t, s, "issuing", P256)
			elsewhere := filepath.Join(t.TempDir(), "other", "place")
			if err := os.CopyFS(elsewhere, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			// CopyFS widens modes by the umask, as many a copy does; the refusal says what to type.
			if _, err := Open(elsewhere, c.ask); err != nil {
				mustBe(t, err, fault.Refused, "keystore.permissions")
				if err := os.Chmod(filepath.Join(elsewhere, identityFile), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			moved, err := Open(elsewhere, c.ask)
			if err != nil {
				t.Fatal(err)
			}
			k, err := moved.Key("issuing")
			if err != nil || !sameKey(k.Public(), made.Public()) {
				t.Errorf("moved key: %v", err)
			}
		})
	}
}

func TestBadFolders(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		kind  fault.Kind
		code  string
	}{
		{"no folder", func(t *testing.T, dir string) { os.RemoveAll(dir) }, fault.Unavailable, "keystore.identity-missing"},
		{"no identity", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "house.key")) }, fault.Unavailable, "keystore.identity-missing"},
		{"an identity that all can read", func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "house.key"), 0o644) }, fault.Refused, "keystore.permissions"},
		{"an identity that the group can read", func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "house.key"), 0o640) }, fault.Refused, "keystore.permissions"},
		{"an empty identity", write("house.key", ""), fault.Unavailable, "keystore.damaged"},
		{"an identity of noise", write("house.key", "AGE-SECRET-KEY-1NOISE\n"), fault.Unavailable, "keystore.damaged"},
		{"a huge identity", write("house.key", strings.Repeat("#", maxFile+1)), fault.Unavailable, "keystore.damaged"},
		{"another house's identity", func(t *testing.T, dir string) {
			x, _ := age.GenerateX25519Identity()
			write("house.key", x.String())(t, dir)
		}, fault.Unavailable, "keystore.incomplete"},
		{"a broken key file", write("issuing.age", "age-encryption.org/v1\nnothing"), fault.Unavailable, "keystore.incomplete"},
		{"a broken public file", write("issuing.pub", "nothing"), fault.Unavailable, "keystore.incomplete"},
		{"two keys in each other's place", func(t *testing.T, dir string) {
			a, b := filepath.Join(dir, "root.age"), filepath.Join(dir, "issuing.age")
			os.Rename(a, a+"x")
			os.Rename(b, a)
			os.Rename(a+"x", b)
		}, fault.Unavailable, "keystore.incomplete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := newStore(t, Clear())
			mustGenerate(t, s, "root", P384)
			mustGenerate(t, s, "issuing", P256)
			c.spoil(t, dir)
			s, err := Open(dir, nil)
			if err == nil {
				err = s.Check("root", "issuing")
			}
			mustBe(t, err, c.kind, c.code)
		})
	}
}

func write(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateRefusesWhatIsThere(t *testing.T) {
	t.Run("a store", func(t *testing.T) {
		_, dir := newStore(t, Clear())
		_, err := Create(dir, Clear())
		mustBe(t, err, fault.Conflict, "keystore.exists")
	})
	t.Run("keys that lost their identity", func(t *testing.T) {
		s, dir := newStore(t, Clear())
		mustGenerate(t, s, "root", P256)
		os.Remove(filepath.Join(dir, identityFile))
		_, err := Create(dir, Clear())
		mustBe(t, err, fault.Conflict, "keystore.exists")
	})
	t.Run("a folder that is a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		os.WriteFile(path, nil, 0o600)
		_, err := Create(path, Clear())
		mustBe(t, err, fault.Unavailable, "keystore.io")
	})
}

func TestGenerateRefuses(t *testing.T) {
	s, _ := newStore(t, Clear())
	for _, name := range []string{"", "../root", "a/b", ".hidden", "Root", "root.age", strings.Repeat("a", 64), "a b", "ä"} {
		_, err := s.Generate(name, P256)
		mustBe(t, err, fault.Invalid, "keystore.name")
		_, err = s.Key(name)
		mustBe(t, err, fault.Invalid, "keystore.name")
	}
	_, err := s.Generate("x", "RSA-1024")
	mustBe(t, err, fault.Invalid, "keystore.algorithm")
	_, err = s.Key("x")
	mustBe(t, err, fault.NotFound, "keystore.unknown")
}

// A crash between the steps of a write leaves files that the next start has to tidy.
func TestOpenFinishesWhatACrashLeft(t *testing.T) {
	s, dir := newStore(t, Clear())
	made := mustGenerate(t, s, "issuing", P256)
	os.Remove(filepath.Join(dir, "issuing.pub"))
	write(temporaryPrefix+"123", "half a key")(t, dir)
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if public, err := s.Public("issuing"); err != nil || !sameKey(public, made.Public()) {
		t.Errorf("the public file was not written again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, temporaryPrefix+"123")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the temporary file is still there")
	}
}

func TestAnIdentityOfAnotherKindOpensToo(t *testing.T) {
	_, dir := newStore(t, Clear())
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	write(identityFile, hybrid.String()+"\n")(t, dir)
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustGenerate(t, s, "issuing", P256)
	if err := s.Protect(cheap()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, says(secret)); err != nil {
		t.Fatal(err)
	}
	if err := s.Check("issuing"); err != nil {
		t.Error(err)
	}
}

func TestAKeyNeverPrints(t *testing.T) {
	s, _ := newStore(t, Clear())
	k := mustGenerate(t, s, "issuing", P256)
	private := k.signer.(*ecdsa.PrivateKey)
	d, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", k)
	asJSON, err := json.Marshal(map[string]any{"key": k})
	if err != nil {
		t.Fatal(err)
	}
	around := struct {
		k *Key
		p Protection
	}{k, cheap()}
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%x", k), fmt.Sprintf("%v", *k),
		fmt.Sprintf("%#v", around), fmt.Sprintf("%+v", around.p), log.String(), string(asJSON)} {
		for _, hidden := range []string{fmt.Sprintf("%x", d), new(big.Int).SetBytes(d).String(), "big.Int", secret} {
			if strings.Contains(text, hidden) {
				t.Errorf("%q shows %q", text, hidden)
			}
		}
	}
	if want := "private key issuing (P-256)"; fmt.Sprint(k) != want || !strings.Contains(log.String(), want) {
		t.Errorf("prints as %q and logs as %s", k, log.String())
	}
}
