package smime

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/cms"
	"chancery.example/testca"
)

// now is the time at which the tests judge.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const letter = "From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: A letter\r\n" +
	"Date: Mon, 01 Jun 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n\r\nDear Bob,\r\n\r\nthis is the letter.\r\n"

// cast is who plays in the tests: Alice signs, Bob reads, with one key of each kind.
type cast struct {
	root                *testca.CA
	alice, aliceRSA     *testca.Leaf
	bob, bobRSA, bob384 *testca.Leaf
}

func newCast(t *testing.T) *cast {
	t.Helper()
	root := testca.New(t).Root(testca.P384)
	issuing := root.Issuing()
	keys := rsaKeys()
	return &cast{root: root, alice: issuing.Leaf("alice@example.com"), aliceRSA: issuing.Leaf("alice@example.com", testca.Key(keys[0])),
		bob: issuing.Leaf("bob@example.com"), bobRSA: issuing.Leaf("bob@example.com", testca.Key(keys[1])),
		bob384: issuing.Leaf("bob@example.com", testca.P384)}
}

// rsaKeys are made once: they are what takes time.
var rsaKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func signer(leaf *testca.Leaf) SignOptions {
	return SignOptions{Signers: []cms.Signer{{Certificate: leaf.Cert, Key: leaf.Key}}, Certificates: leaf.Intermediates(), At: now}
}

func recipients(leaves ...*testca.Leaf) EncryptOptions {
	var opts EncryptOptions
	for _, leaf := range leaves {
		opts.Recipients = append(opts.Recipients, cms.Recipient{Certificate: leaf.Cert})
	}
	return opts
}

func keysOf(leaves ...*testca.Leaf) []cms.DecryptionKey {
	var keys []cms.DecryptionKey
	for _, leaf := range leaves {
		keys = append(keys, cms.DecryptionKey{Certificate: leaf.Cert, Key: leaf.Key})
	}
	return keys
}

func signed(t *testing.T, mail string, opts SignOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := Sign(t.Context(), strings.NewReader(mail), &out, opts); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func encrypted(t *testing.T, mail string, opts EncryptOptions) string {
	t.Helper()
	var out bytes.Buffer
	if err := Encrypt(t.Context(), strings.NewReader(mail), &out, opts); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// reader is how Bob reads: he trusts the root.
func (c *cast) reader() Options {
	opts := c.anchors()
	opts.Keys = keysOf(c.bob, c.bobRSA, c.bob384)
	return opts
}

// anchors is how somebody without keys reads.
func (c *cast) anchors() Options {
	return Options{Anchors: []*x509.Certificate{c.root.Cert}, At: now}
}

func open(t *testing.T, mail string, opts Options) *Report {
	t.Helper()
	report, err := Open(t.Context(), strings.NewReader(mail), nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// run starts a peer and returns what it wrote to standard output.
func run(t *testing.T, dir, input, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir, command.Stdin = dir, strings.NewReader(input)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, problems.String())
	}
	return out.String()
}

var awkward = map[string]string{
	"plain":               letter,
	"with line feeds":     strings.ReplaceAll(letter, "\r\n", "\n"),
	"8-bit text":          strings.Replace(letter, "letter.", "gr\u00fc\u00dfe \u20ac.", 1),
	"mostly 8-bit":        strings.Replace(letter, "Dear Bob,", strings.Repeat("\u4f60\u597d", 200), 1),
	"a line of 5000":      strings.Replace(letter, "Dear Bob,", strings.Repeat("long ", 1000), 1),
	"blanks at line ends": strings.Replace(letter, "Dear Bob,", "Dear Bob, \t\r\n-- \r\nFrom here", 1),
	"no content type":     "From: alice@example.com\r\nSubject: x\r\n\r\nhi\r\n",
	"no body":             "From: alice@example.com\r\nSubject: x\r\n\r\n",
	"no last line end":    letter + "the end",
	"binary": "From: alice@example.com\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
		"\x00\x01\n\r\x80\xff\r\n",
	"multipart with an 8-bit part": "From: alice@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" +
		"preamble\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngr\u00fc\u00dfe\r\n--x\r\n" +
		"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--x\r\n" +
		"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nFrom: carol@example.com\r\nSubject: inner\r\n\r\ngr\u00fcn\r\n--x--\r\n",
	"a large body": strings.Replace(letter, "Dear Bob,", strings.Repeat("0123456789 lorem ipsum\r\n", 20_000), 1),
}

func TestOpenSSLVerifiesWhatWeSign(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	c.alice.Files(dir, "")
	signers := map[string]SignOptions{"P-256": signer(c.alice), "RSA": signer(c.aliceRSA)}
	pss, opaque := signer(c.aliceRSA), signer(c.alice)
	pss.Signers[0].PSS, opaque.Opaque = true, true
	signers["PSS"], signers["opaque"] = pss, opaque
	for how, opts := range signers {
		for what, mail := range awkward {
			t.Run(how+", "+what, func(t *testing.T) {
				text := signed(t, mail, opts)
				content := run(t, dir, text, "openssl", "cms", "-verify", "-CAfile", "root.pem", "-purpose", "smimesign")
				if strings.Contains(content, "Subject: A letter") {
					t.Error("the mail's own fields went under the signature")
				}
				found, err := surveyMail(text)
				if err != nil || found.rewrite {
					t.Errorf("what was signed is not safe: %+v, error %v", found, err)
				}
			})
		}
	}
}

// surveyMail surveys a whole mail.
func surveyMail(text string) (survey, error) {
	_, inner, body, err := readMail(strings.NewReader(text))
	if err != nil {
		return survey{}, err
	}
	inner.Fields = nil // as if it were text: what counts is the wire
	return surveyEntity(inner, body)
}

func TestOpenSSLDecryptsWhatWeEncrypt(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	for _, who := range []struct {
		name string
		leaf *testca.Leaf
	}{{"P-256", c.bob}, {"RSA", c.bobRSA}, {"P-384", c.bob384}} {
		who.leaf.Files(dir, who.name+"-")
		for _, cipher := range []cms.Cipher{cms.AES128CBC, cms.AES256CBC, cms.AES128GCM, cms.AES256GCM} {
			t.Run(fmt.Sprintf("%s %s", who.name, cipher), func(t *testing.T) {
				opts := recipients(c.bob, c.bobRSA, c.bob384)
				opts.Cipher = cipher
				text := encrypted(t, letter, opts)
				if strings.Contains(text, "this is the letter") || !strings.HasPrefix(text, "From: Alice") {
					t.Fatalf("not encrypted, or not with the mail's fields on top:\n%s", text)
				}
				got := run(t, dir, text, "openssl", "cms", "-decrypt", "-recip", who.name+"-cert.pem", "-inkey", who.name+"-key.pem")
				if want := "Content-Type: text/plain; charset=utf-8\r\n\r\nDear Bob,\r\n\r\nthis is the letter.\r\n"; got != want {
					t.Errorf("decrypted %q", got)
				}
			})
		}
	}
}

func TestWeReadWhatOpenSSLMakes(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	c.alice.Files(dir, "alice-")
	c.bobRSA.Files(dir, "bob-")
	content := "Content-Type: text/plain\r\n\r\nhello\r\n"
	fields := []string{"-from", "alice@example.com", "-to", "bob@example.com", "-subject", "A letter"}
	sign := []string{"cms", "-sign", "-signer", "alice-cert.pem", "-inkey", "alice-key.pem", "-certfile", "alice-chain.pem"}
	for name, extra := range map[string][]string{"detached": nil, "detached with line feeds as they are": {"-binary"}, "opaque": {"-nodetach"}, "streamed": {"-nodetach", "-stream"}, "SKI": {"-keyid"}} {
		t.Run("signed, "+name, func(t *testing.T) {
			input := content
			if strings.Contains(name, "line feeds") {
				input = strings.ReplaceAll(content, "\r\n", "\n")
			}
			text := run(t, dir, input, "openssl", append(append(sign, extra...), fields...)...)
			if report := open(t, text, c.reader()); report.Verdict != Valid {
				t.Errorf("verdict %s, %+v", report.Verdict, report.Reasons)
			}
		})
	}
	for name, extra := range map[string][]string{"CBC": {"-aes256"}, "GCM": {"-aes-128-gcm"}, "streamed": {"-aes128", "-stream"},
		"3DES": {"-des3"}, "OAEP": {"-aes256", "-keyopt", "rsa_padding_mode:oaep"}} {
		t.Run("encrypted, "+name, func(t *testing.T) {
			args := append([]string{"cms", "-encrypt"}, fields...)
			args = append(append(args, extra[0]), "-recip", "bob-cert.pem")
			text := run(t, dir, content, "openssl", append(args, extra[1:]...)...)
			var out bytes.Buffer
			report, err := Open(t.Context(), strings.NewReader(text), &out, c.reader())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(out.String(), content) || !strings.Contains(strings.ToLower(out.String()), "subject: a letter") {
				t.Errorf("opened %q", out.String())
			}
			if !report.Encrypted || report.Verdict != Unsigned || report.Authenticated != strings.Contains(name, "GCM") {
				t.Errorf("report %+v", report)
			}
		})
	}
	t.Run("encrypted without fields of its own comes out exactly", func(t *testing.T) {
		for _, content := range []string{content, "secret: 42", "bare text\r\n\r\nX: y\r\n", ""} {
			text := run(t, dir, content, "openssl", "cms", "-encrypt", "-aes256", "-binary", "bob-cert.pem")
			var out bytes.Buffer
			if _, err := Open(t.Context(), strings.NewReader(text), &out, c.reader()); err != nil || out.String() != content {
				t.Errorf("%q came out as %q, error %v", content, out.String(), err)
			}
		}
	})
}

// TestNSS lets Mozilla's library check and open what we made, and the other way round.
func TestNSS(t *testing.T) {
	c := newCast(t)
	dir := t.TempDir()
	db := "sql:" + dir
	c.bobRSA.Files(dir, "bob-")
	c.aliceRSA.Files(dir, "alice-")
	run(t, dir, "", "certutil", "-N", "-d", db, "--empty-password")
	run(t, dir, "", "certutil", "-A", "-d", db, "-n", "root", "-t", ",C,", "-i", "bob-root.pem")
	run(t, dir, "", "certutil", "-A", "-d", db, "-n", "issuing", "-t", ",,", "-i", "bob-chain.pem")
	for _, who := range []string{"bob", "alice"} {
		run(t, dir, "", "openssl", "pkcs12", "-export", "-in", who+"-cert.pem", "-inkey", who+"-key.pem", "-name", who, "-passout", "pass:x", "-out", who+".p12")
		run(t, dir, "", "pk12util", "-i", who+".p12", "-d", db, "-W", "x")
	}

	t.Run("checks what we sign", func(t *testing.T) {
		for name, opaque := range map[string]bool{"opaque": true, "detached": false} {
			opts := signer(c.aliceRSA)
			opts.Opaque = opaque
			var message bytes.Buffer
			if err := SignCMS(t.Context(), strings.NewReader(letter), &message, opts); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "signed.der", message.String())
			write(t, dir, "content", letter)
			args := []string{"-D", "-d", db, "-i", "signed.der", "-u", "4"}
			if !opaque {
				args = append(args, "-c", "content")
			}
			if got := run(t, dir, "", "cmsutil", args...); got != letter {
				t.Errorf("%s: cmsutil gave %q", name, got)
			}
		}
	})
	t.Run("opens what we encrypt", func(t *testing.T) {
		opts := recipients(c.bobRSA)
		opts.Cipher = cms.AES256CBC
		var message bytes.Buffer
		if err := EncryptCMS(t.Context(), strings.NewReader(letter), &message, opts); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "sealed.der", message.String())
		if got := run(t, dir, "", "cmsutil", "-D", "-d", db, "-i", "sealed.der"); got != letter {
			t.Errorf("cmsutil gave %q", got)
		}
	})
	t.Run("signs what we check", func(t *testing.T) {
		write(t, dir, "content", letter)
		message := run(t, dir, "", "cmsutil", "-S", "-d", db, "-N", "alice", "-H", "SHA256", "-i", "content")
		report, err := OpenCMS(t.Context(), strings.NewReader(message), nil, nil, c.reader())
		if err != nil || report.Verdict != Valid {
			t.Errorf("report %+v, error %v", report, err)
		}
	})
	t.Run("encrypts what we open", func(t *testing.T) {
		message := run(t, dir, "", "cmsutil", "-E", "-d", db, "-r", "bob@example.com", "-i", "content")
		var out bytes.Buffer
		if _, err := OpenCMS(t.Context(), strings.NewReader(message), nil, &out, c.reader()); err != nil || out.String() != letter {
			t.Errorf("%q, error %v", out.String(), err)
		}
	})
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runQuietly starts a peer whose success does not matter, to tidy up.
func runQuietly(dir, name string, args ...string) {
	command := exec.Command(name, args...)
	command.Dir = dir
	_ = command.Run()
}
