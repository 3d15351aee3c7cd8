package smime

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/testca"
)

func correspondent(leaves ...*testca.Leaf) Correspondent {
	c := Correspondent{Address: leaves[0].Cert.EmailAddresses[0]}
	for _, leaf := range leaves {
		c.Certificates = append(c.Certificates, leaf.Cert)
	}
	return c
}

func TestAMailGoesToGroupsOfReaders(t *testing.T) {
	c := newCast(t)
	gcm := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}
	ca := c.root.Issuing()
	modern := ca.Leaf("modern@example.com", testca.Capabilities(t, gcm))
	carol := ca.Leaf("carol@example.com")
	secret := ca.Leaf("secret@example.com", testca.Capabilities(t, gcm))
	quiet := ca.Leaf("quiet@example.com")
	told := correspondent(carol) // her last mail said more than her certificate
	told.Capabilities = []cms.Algorithm{cms.AES256GCM.Capability(), {OID: oidOAEP}}
	alice := correspondent(c.alice)
	sign := signer(c.alice)
	opts := WriteOptions{Sign: &sign, To: []Correspondent{correspondent(c.bob), correspondent(modern), correspondent(c.bobRSA), told},
		Bcc: []Correspondent{correspondent(secret), correspondent(quiet)}, Self: &alice, ProtectHeaders: true, At: now}
	batch, err := Write(t.Context(), strings.NewReader(replaceOnce(letter, "Subject:", "Bcc: secret@example.com, quiet@example.com\r\nSubject:")), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	readers := map[string]*testca.Leaf{"bob@example.com": c.bob, "modern@example.com": modern, "carol@example.com": carol,
		"secret@example.com": secret, "quiet@example.com": quiet, "alice@example.com": c.alice}
	want := []struct {
		kind   MessageKind
		to     string
		cipher cms.Cipher
	}{
		{Openly, "bob@example.com", cms.AES256CBC}, {Openly, "modern@example.com carol@example.com", cms.AES256GCM},
		{Hidden, "secret@example.com", cms.AES256GCM}, {Hidden, "quiet@example.com", cms.AES256CBC}, {Own, "alice@example.com", cms.AES256CBC},
	}
	if len(batch.Messages) != len(want) {
		t.Fatalf("%d messages, want %d", len(batch.Messages), len(want))
	}
	signatures := map[string]bool{}
	for i := len(want) - 1; i >= 0; i-- { // in any order
		m := &batch.Messages[i]
		if m.Kind != want[i].kind || strings.Join(m.For, " ") != want[i].to || m.Cipher != want[i].cipher {
			t.Errorf("message %d: kind %d for %v with %s, want %+v", i, m.Kind, m.For, m.Cipher, want[i])
		}
		var out bytes.Buffer
		if err := m.Write(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if header, _ := cut(out.String()); strings.Contains(header, "Bcc") != (m.Kind == Own) || strings.Contains(header, "A letter") {
			t.Errorf("message %d has the header\n%s", i, header)
		}
		for address, reader := range readers {
			opts := c.anchors()
			opts.Keys = keysOf(reader)
			var inner bytes.Buffer
			report, err := Open(t.Context(), bytes.NewReader(out.Bytes()), &inner, opts)
			if slices.Contains(m.For, address) != (err == nil) {
				t.Errorf("message %d and %s: %v", i, address, err)
			}
			if err != nil {
				continue
			}
			if report.Verdict != Valid || report.Layers[0].Cipher != m.Cipher.String() || report.Layers[0].Recipients != len(m.For) ||
				!report.ProtectedHeaders["subject"].Encrypted || strings.Contains(inner.String(), "HP-Outer: Bcc") {
				t.Errorf("message %d: %+v", i, report)
			}
			_, body := cut(inner.String())
			signatures[body] = true
		}
	}
	if len(signatures) != 1 {
		t.Errorf("the mail was signed %d times", len(signatures))
	}
}

func TestTwoOfThreeAreNeverWrittenTo(t *testing.T) {
	c := newCast(t)
	signOnly := c.root.Leaf("carol@example.com", testca.Usage(x509.KeyUsageDigitalSignature))
	expired := c.root.Leaf("dave@example.com", testca.Valid(testca.Start, testca.Start.AddDate(0, 1, 0)))
	_, err := Write(t.Context(), strings.NewReader(letter), WriteOptions{At: now,
		To: []Correspondent{correspondent(c.bob), correspondent(signOnly)}, Bcc: []Correspondent{correspondent(expired), {Address: "erin@example.com"}}})
	if fault.CodeOf(err) != "mail.no-certificate" {
		t.Fatalf("%v", err)
	}
	for _, address := range []string{"carol@example.com", "dave@example.com", "erin@example.com"} {
		if !strings.Contains(err.Error(), address) {
			t.Errorf("%s is not named in %v", address, err)
		}
	}
	if _, err := Write(t.Context(), strings.NewReader(letter), WriteOptions{At: now}); fault.CodeOf(err) != "mail.no-recipients" {
		t.Errorf("%v", err)
	}
}

func TestTheNewestCertificateIsTaken(t *testing.T) {
	c := newCast(t)
	ca := c.root.Issuing()
	old := ca.Leaf("bob@example.com", testca.Valid(now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)))
	renewed := ca.Leaf("bob@example.com", testca.Valid(now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)))
	later := ca.Leaf("bob@example.com", testca.Valid(now.AddDate(0, 1, 0), now.AddDate(1, 0, 0)))
	if got := encryptionCertificate([]*x509.Certificate{old.Cert, renewed.Cert, later.Cert, nil}, now); got != renewed.Cert {
		t.Errorf("took the one from %v", got.NotBefore)
	}
}

func TestAMailWithoutSignatureGoesToGroupsToo(t *testing.T) {
	c := newCast(t)
	batch, err := Write(t.Context(), strings.NewReader(letter), WriteOptions{To: []Correspondent{correspondent(c.bob)}, At: now, ProtectHeaders: true, LegacyDisplay: true})
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	for range 2 { // as often as somebody wants it
		var out bytes.Buffer
		if err := batch.Messages[0].Write(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if report := open(t, out.String(), c.reader()); report.Verdict != Unsigned || report.ProtectedHeaders["subject"].Value != "A letter" {
			t.Errorf("%+v", report)
		}
	}
}

func TestCapabilitiesOfAPersonAreReadFromTheirMail(t *testing.T) {
	c := newCast(t)
	opts := signer(c.alice)
	opts.Capabilities = []cms.Cipher{cms.AES256GCM, cms.AES256CBC}
	report := open(t, signed(t, letter, opts), c.reader())
	if len(report.Signatures) != 1 {
		t.Fatal(report.Signatures)
	}
	who := Correspondent{Capabilities: report.Signatures[0].Capabilities}
	if got := who.cipher(c.alice.Cert); got != cms.AES256GCM {
		t.Errorf("%s", got)
	}
}
