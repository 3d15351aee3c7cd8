package smime

import (
	"bytes"
	"crypto"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chancery.example/cms"
)

var update = flag.Bool("update", false, "write docs/interop.md anew")

// operation is one row of the table: a way to sign or to encrypt.
type operation struct {
	name   string
	who    string // an identity of the interopCast
	hash   crypto.Hash
	pss    bool
	oaep   crypto.Hash
	cipher cms.Cipher // zero: a signature
	// wants is what the result has to be, as reports name it.
	wants string
}

var operations = []operation{
	{name: "RSA-2048 PKCS #1 v1.5, SHA-256", who: "rsa", hash: crypto.SHA256, wants: "rsaEncryption sha256"},
	{name: "RSA-2048 PKCS #1 v1.5, SHA-384", who: "rsa", hash: crypto.SHA384, wants: "rsaEncryption sha384"},
	{name: "RSA-2048 PKCS #1 v1.5, SHA-512", who: "rsa", hash: crypto.SHA512, wants: "rsaEncryption sha512"},
	{name: "RSA-2048 PSS, SHA-256", who: "rsa", hash: crypto.SHA256, pss: true, wants: "RSASSA-PSS sha256"},
	{name: "RSA-2048 PSS, SHA-512", who: "rsa", hash: crypto.SHA512, pss: true, wants: "RSASSA-PSS sha512"},
	{name: "ECDSA P-256, SHA-256", who: "p256", hash: crypto.SHA256, wants: "ecdsa-with-SHA256 sha256"},
	{name: "ECDSA P-384, SHA-384", who: "p384", hash: crypto.SHA384, wants: "ecdsa-with-SHA384 sha384"},
	{name: "ECDSA P-521, SHA-512", who: "p521", hash: crypto.SHA512, wants: "ecdsa-with-SHA512 sha512"},
	{name: "Ed25519", who: "ed25519", hash: crypto.SHA512, wants: "Ed25519 sha512"},

	{name: "RSA v1.5, AES-128-CBC", who: "rsa", cipher: cms.AES128CBC, wants: "rsaEncryption aes-128-cbc"},
	{name: "RSA v1.5, AES-192-CBC", who: "rsa", cipher: cms.AES192CBC, wants: "rsaEncryption aes-192-cbc"},
	{name: "RSA v1.5, AES-256-CBC", who: "rsa", cipher: cms.AES256CBC, wants: "rsaEncryption aes-256-cbc"},
	{name: "RSA v1.5, AES-128-GCM", who: "rsa", cipher: cms.AES128GCM, wants: "rsaEncryption aes-128-gcm"},
	{name: "RSA v1.5, AES-192-GCM", who: "rsa", cipher: cms.AES192GCM, wants: "rsaEncryption aes-192-gcm"},
	{name: "RSA v1.5, AES-256-GCM", who: "rsa", cipher: cms.AES256GCM, wants: "rsaEncryption aes-256-gcm"},
	{name: "RSA OAEP SHA-1, AES-256-CBC", who: "rsa", oaep: crypto.SHA1, cipher: cms.AES256CBC, wants: "RSAES-OAEP aes-256-cbc"},
	{name: "RSA OAEP SHA-256, AES-256-CBC", who: "rsa", oaep: crypto.SHA256, cipher: cms.AES256CBC, wants: "RSAES-OAEP aes-256-cbc"},
	{name: "RSA OAEP SHA-512, AES-256-CBC", who: "rsa", oaep: crypto.SHA512, cipher: cms.AES256CBC, wants: "RSAES-OAEP aes-256-cbc"},
	{name: "ECDH P-256, AES-256-CBC", who: "p256", cipher: cms.AES256CBC, wants: "key-agreement aes-256-cbc"},
	{name: "ECDH P-384, AES-256-CBC", who: "p384", cipher: cms.AES256CBC, wants: "key-agreement aes-256-cbc"},
	{name: "ECDH P-521, AES-256-CBC", who: "p521", cipher: cms.AES256CBC, wants: "key-agreement aes-256-cbc"},
	{name: "ECDH P-256, AES-256-GCM", who: "p256", cipher: cms.AES256GCM, wants: "key-agreement aes-256-gcm"},
	{name: "X25519, AES-256-CBC", who: "x25519", cipher: cms.AES256CBC, wants: "key-agreement aes-256-cbc"},
}

// interopPeer is another implementation. Each function fails with what the peer itself says.
type interopPeer struct {
	name string
	read func(op operation, message []byte) (content []byte, err error)
	make func(op operation, content []byte) (message []byte, err error)
	// why explains each failure that is known, by the operation and what the peer says about it.
	why []explanation
}

type explanation struct {
	said *regexp.Regexp
	text string
}

// TestInteroperation runs every operation with every peer, both ways, and holds docs/interop.md against the outcome. A
// failure of a peer has to say one of the things that are explained; ours is a failure of the test.
func TestInteroperation(t *testing.T) {
	if testing.Short() {
		t.Skip("real peers run without -short")
	}
	t.Parallel()
	cast := newInteropCast(t)
	peers := []interopPeer{opensslPeer(t, cast), gpgsmPeer(t, cast), nssPeer(t, cast), bouncyCastle(t, cast)}
	content := []byte("Content-Type: text/plain\r\n\r\nthe same for all, \x00 and \xff included\r\n")
	table := newInteropTable(peers)
	for _, op := range operations {
		message, err := cast.make(t, op, content)
		if err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		var cells []string
		for _, peer := range peers {
			got, err := peer.read(op, message)
			if err == nil && !bytes.Equal(got, content) {
				t.Errorf("%s reads %s as %q", peer.name, op.name, got)
			}
			cells = append(cells, table.cell(t, peer, op, "read", err))
			theirs, err := peer.make(op, content)
			if err == nil {
				var is string
				if got, is, err = cast.read(op, theirs); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s of %s cannot be read here: %v, %q", op.name, peer.name, err, got)
				} else if is != op.wants {
					err = fmt.Errorf("made %s instead", is)
				}
			}
			cells = append(cells, table.cell(t, peer, op, "write", err))
		}
		table.row(op, cells)
	}
	path := filepath.Join("..", "docs", "interop.md")
	if *update {
		if err := os.WriteFile(path, []byte(table.text()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != table.text() {
		t.Errorf("docs/interop.md is not what happened (go test ./smime -run TestInteroperation -update writes it): %v\n%s", err, table.text())
	}
}

// interopTable is docs/interop.md as it grows.
type interopTable struct {
	peers         []interopPeer
	signed, seals []string
	reasons       []string
}

func newInteropTable(peers []interopPeer) *interopTable { return &interopTable{peers: peers} }

// cell is "yes", or "no" with the number of its reason.
func (x *interopTable) cell(t *testing.T, peer interopPeer, op operation, direction string, err error) string {
	t.Helper()
	if err == nil {
		return "yes"
	}
	for _, known := range peer.why {
		if known.said.MatchString(op.name + ": " + err.Error()) {
			reason := peer.name + ": " + known.text
			at := slices.Index(x.reasons, reason)
			if at < 0 {
				at, x.reasons = len(x.reasons), append(x.reasons, reason)
			}
			return fmt.Sprintf("no (%d)", at+1)
		}
	}
	t.Errorf("%s, %s by %s: nothing explains %v", op.name, direction, peer.name, err)
	return "?"
}

func (x *interopTable) row(op operation, cells []string) {
	line := "| " + op.name + " | " + strings.Join(cells, " | ") + " |"
	if op.cipher == cms.UnknownCipher {
		x.signed = append(x.signed, line)
	} else {
		x.seals = append(x.seals, line)
	}
}

func (x *interopTable) text() string {
	var text strings.Builder
	head := func(what string) {
		fmt.Fprintf(&text, "| %s ", what)
		for _, peer := range x.peers {
			fmt.Fprintf(&text, "| %s reads ours | we read theirs ", peer.name)
		}
		text.WriteString("|\n|" + strings.Repeat(" --- |", 1+2*len(x.peers)) + "\n")
	}
	text.WriteString("# Who reads whom\n\nEvery cell is the outcome of a run: the test `TestInteroperation` of `smime` makes each message, hands it to the\n" +
		"other program, and compares what comes out, both ways; `go test ./smime -run TestInteroperation -update` writes this\n" +
		"file. A *no* is the other program's own failure, and its reason stands below.\n\n## Signatures\n\n")
	head("signed with")
	text.WriteString(strings.Join(x.signed, "\n") + "\n\n## Encryption\n\n")
	head("encrypted with")
	text.WriteString(strings.Join(x.seals, "\n") + "\n\n## Reasons\n\n")
	for i, reason := range x.reasons {
		fmt.Fprintf(&text, "%d. %s\n", i+1, reason)
	}
	return text.String()
}

func because(said, text string) explanation { return explanation{regexp.MustCompile(said), text} }
