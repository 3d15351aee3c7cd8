package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chancery.example/app"
	"chancery.example/ca/lint"
	"chancery.example/ca/profile"
)

// From an empty machine to a signed and encrypted mail: a person orders a certificate in the browser, confirms the
// mailbox, picks up the file, and exchanges mail with OpenSSL and NSS; then the certificate is revoked.
func TestFirstCertificate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole house and a browser")
	}
	for _, d := range databases {
		t.Run(string(d), func(t *testing.T) {
			c := newConfig(t, d)
			// What stands in certificates is a name of the world; the stories fetch it from loopback.
			makeHouse(t, c, func(m *app.Making) { m.Plan.PublicURL = "http://pki.example.com" })
			s := &story{t: t, house: start(t, c), dir: t.TempDir(), password: "correct horse battery staple", address: "alice@example.com"}
			s.orderAndPickUp()
			s.lookAtCertificates()
			s.mailWithOpenSSL()
			s.mailWithNSS()
			s.revoke()
			s.house.proveAudit()
		})
	}
}

// story is what the chapters of the story share.
type story struct {
	t                 *testing.T
	house             *house
	dir               string
	password, address string
	// files of the holder
	p12, passFile, cert, key string
	// files of the other side
	root, chain string
}

// orderAndPickUp drives the browser from the order form through the captured mail to the PKCS#12.
func (s *story) orderAndPickUp() {
	t, downloads := s.t, filepath.Join(s.dir, "downloads")
	if err := os.MkdirAll(downloads, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, downloads)
	do(t, b, "ordering", chromedp.Navigate(s.house.doors.Portal+"/order"),
		chromedp.SendKeys("#address", s.address, chromedp.ByID), chromedp.Click("#agree", chromedp.ByID), chromedp.Submit("#agree", chromedp.ByID),
		chromedp.WaitVisible(`//h1`), chromedp.WaitNotPresent("#agree", chromedp.ByID))

	mail := s.house.await("the confirmation", hasLink(s.address, "/confirm/"))
	if mail.link("/o/") == "" {
		t.Error("the first mail has no link to the status page")
	}
	do(t, b, "confirming", chromedp.Navigate(mail.link("/confirm/")), chromedp.Click(`main form button[type=submit]`, chromedp.ByQuery),
		chromedp.WaitVisible("#pickup", chromedp.ByID))
	do(t, b, "picking up", chromedp.Click("#program-thunderbird", chromedp.ByID), chromedp.SendKeys("#password", s.password, chromedp.ByID),
		chromedp.Click(`#pickup button[type=submit]:not(.quiet)`, chromedp.ByQuery))
	s.p12 = downloaded(t, downloads, "*.p12")
	if name := filepath.Base(s.p12); name != s.address+".p12" {
		t.Errorf("the file is called %s", name)
	}
	s.passFile = file(t, s.dir, "password", []byte(s.password))

	status := s.house.await("the certificate was issued", func(l letter) bool { return strings.Contains(l.Subject, "was issued") }).link("/o/")
	do(t, b, "saying that it arrived", chromedp.Navigate(status), chromedp.Click(`form[action$="/received"] button`, chromedp.ByQuery),
		chromedp.WaitNotPresent(`form[action$="/received"]`, chromedp.ByQuery))
}

// fetch gets a file from the public door.
func (s *story) fetch(path string) []byte {
	s.t.Helper()
	a := must[*http.Response](s.t)(http.Get(s.house.doors.Public + path))
	if a.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s", path, a.Status)
	}
	return []byte(body(s.t, a.Body))
}

// lookAtCertificates takes the files apart with OpenSSL and lints every certificate of the path and the responder's.
func (s *story) lookAtCertificates() {
	t := s.t
	pass := "file:" + s.passFile
	s.root = file(t, s.dir, "root.pem", s.fetch("/ca/root.pem"))
	s.chain = file(t, s.dir, "issuing.pem", s.fetch("/ca/issuing.pem"))
	s.cert, s.key = filepath.Join(s.dir, "alice.pem"), filepath.Join(s.dir, "alice.key")
	peer(t, nil, "openssl", "pkcs12", "-in", s.p12, "-passin", pass, "-clcerts", "-nokeys", "-out", s.cert)
	peer(t, nil, "openssl", "pkcs12", "-in", s.p12, "-passin", pass, "-nocerts", "-nodes", "-out", s.key)
	for _, purpose := range []string{"smimesign", "smimeencrypt"} {
		peer(t, nil, "openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", s.root, "-untrusted", s.chain, s.cert)
	}
	h := s.house.Hierarchy
	raw := must[[]byte](t)(os.ReadFile(s.cert))
	block, _ := pem.Decode(raw[bytes.Index(raw, []byte("-----BEGIN")):])
	for name, one := range map[string]struct {
		der []byte
		c   lint.Context
	}{
		"root":       {h.Root.Raw, lint.Context{Kind: lint.Root}},
		"issuing CA": {h.Issuing.Raw, lint.Context{Kind: lint.Issuing, Issuer: h.Root}},
		"responder":  {h.Responder.Raw, lint.Context{Kind: lint.Responder, Issuer: h.Issuing}},
		"subscriber": {block.Bytes, lint.Context{Kind: lint.Subscriber, Type: profile.MV, Generation: profile.Strict, Issuer: h.Issuing}},
	} {
		one.c.Mode, one.c.At = profile.Private, time.Now()
		for _, f := range lint.Certificate(one.der, one.c) {
			t.Errorf("%s certificate: %s %s: %s", name, f.Source, f.Rule, f.Text)
		}
		out := peer(t, one.der, "openssl", "x509", "-inform", "DER", "-noout", "-text")
		if strings.Contains(out, "unable to") || strings.Contains(out, "<Not Supported>") {
			t.Errorf("openssl x509 complains of the %s certificate:\n%s", name, out)
		}
	}
}

const text = "From: Alice <alice@example.com>\r\nTo: Bob <bob@example.com>\r\nSubject: The meeting\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nDear Bob,\r\n\r\nat noon.\r\n"

// mailWithOpenSSL exchanges mail with openssl cms, both ways.
func (s *story) mailWithOpenSSL() {
	t := s.t
	plain := file(t, s.dir, "mail.eml", []byte(text))
	signed := file(t, s.dir, "signed.eml", wants(t, 0, "sign", "--p12", s.p12, "--passphrase-file", s.passFile, plain))
	out := peer(t, nil, "openssl", "cms", "-verify", "-in", signed, "-CAfile", s.root, "-purpose", "smimesign")
	if !strings.Contains(out, "at noon.") || !strings.Contains(out, "successful") {
		t.Errorf("openssl cms -verify says:\n%s", out)
	}
	sealed := file(t, s.dir, "sealed.eml", wants(t, 0, "encrypt", "--to", s.cert, signed))
	if out := peer(t, nil, "openssl", "cms", "-decrypt", "-in", sealed, "-recip", s.cert, "-inkey", s.key); !strings.Contains(out, "at noon.") {
		t.Errorf("openssl cms -decrypt says:\n%s", out)
	}
	gcm := file(t, s.dir, "gcm.eml", wants(t, 0, "encrypt", "--to", s.cert, "--cipher", "aes-256-gcm", "--oaep", signed))
	if out := peer(t, nil, "openssl", "cms", "-decrypt", "-in", gcm, "-recip", s.cert, "-inkey", s.key); !strings.Contains(out, "at noon.") {
		t.Errorf("openssl cms -decrypt of AES-GCM says:\n%s", out)
	}

	// what OpenSSL made
	theirs := filepath.Join(s.dir, "openssl-signed.eml")
	peer(t, nil, "openssl", "cms", "-sign", "-in", plain, "-signer", s.cert, "-inkey", s.key, "-certfile", s.chain, "-md", "sha256",
		"-from", s.address, "-to", "bob@example.com", "-subject", "The meeting", "-out", theirs)
	s.verdict("valid", 0, "--ca", s.root, theirs)
	box := filepath.Join(s.dir, "openssl-sealed.eml")
	peer(t, nil, "openssl", "cms", "-encrypt", "-aes-256-cbc", "-in", theirs, "-out", box, s.cert)
	if out := wants(t, 0, "decrypt", "--p12", s.p12, "--passphrase-file", s.passFile, box); !bytes.Contains(out, []byte("multipart/signed")) {
		t.Errorf("chancery decrypt of OpenSSL's mail gives:\n%s", out)
	}
	// our own signed and sealed mail, read whole: CBC, and authenticated by the signature inside
	s.verdict("valid", 0, "--ca", s.root, "--p12", s.p12, "--passphrase-file", s.passFile, sealed)
	s.verdict("untrusted", 4, "--ca", s.root, "--from", "mallory@example.com", signed)
	altered := file(t, s.dir, "altered.eml", bytes.Replace(must[[]byte](t)(os.ReadFile(signed)), []byte("noon"), []byte("nine"), 1))
	s.verdict("invalid", 3, "--ca", s.root, altered)
}

// verdict runs chancery verify and compares its verdict and exit status.
func (s *story) verdict(want string, status int, args ...string) {
	s.t.Helper()
	out := wants(s.t, status, append([]string{"verify", "--json"}, args...)...)
	var report struct{ Verdict string }
	if err := json.Unmarshal(out, &report); err != nil || report.Verdict != want {
		s.t.Errorf("chancery verify %s: %q, want %q\n%s", strings.Join(args, " "), report.Verdict, want, out)
	}
}

// mailWithNSS exchanges CMS with NSS's cmsutil, both ways.
func (s *story) mailWithNSS() {
	t := s.t
	db := filepath.Join(s.dir, "nss")
	if err := os.Mkdir(db, 0o700); err != nil {
		t.Fatal(err)
	}
	nss := "sql:" + db
	empty := file(t, s.dir, "empty", []byte("\n"))
	peer(t, nil, "certutil", "-N", "-d", nss, "--empty-password")
	peer(t, nil, "pk12util", "-i", s.p12, "-d", nss, "-w", s.passFile, "-k", empty)
	peer(t, nil, "certutil", "-A", "-d", nss, "-n", "root", "-t", ",C,", "-a", "-i", s.root)

	plain := file(t, s.dir, "nss.txt", []byte("Dear Bob,\r\n\r\nat noon.\r\n"))
	ours := file(t, s.dir, "ours.der", wants(t, 0, "sign", "--opaque", "--outform", "der", "--p12", s.p12, "--passphrase-file", s.passFile, plain))
	if out := peer(t, nil, "cmsutil", "-D", "-d", nss, "-i", ours, "-u", "4"); !strings.Contains(out, "at noon.") { // it fails when the signature does not hold
		t.Errorf("cmsutil says of our signature:\n%s", out)
	}
	spoilt := must[[]byte](t)(os.ReadFile(ours))
	spoilt[bytes.Index(spoilt, []byte("noon"))] = 'm'
	if out, err := peerMay(t, nil, "cmsutil", "-D", "-d", nss, "-i", file(t, s.dir, "spoilt.der", spoilt), "-u", "4"); err == nil {
		t.Errorf("cmsutil takes an altered message:\n%s", out)
	}
	box := file(t, s.dir, "ours-sealed.der", wants(t, 0, "encrypt", "--outform", "der", "--to", s.cert, plain))
	if out := peer(t, nil, "cmsutil", "-D", "-d", nss, "-i", box); !strings.Contains(out, "at noon.") {
		t.Errorf("cmsutil says of our encryption:\n%s", out)
	}

	// what NSS made
	theirs := filepath.Join(s.dir, "nss-signed.der")
	peer(t, nil, "cmsutil", "-S", "-d", nss, "-N", s.address, "-i", plain, "-o", theirs, "-G", "-H", "SHA256")
	s.verdict("valid", 0, "--inform", "der", "--ca", s.root, "--intermediate", s.chain, theirs)
	sealed := filepath.Join(s.dir, "nss-sealed.der")
	peer(t, nil, "cmsutil", "-E", "-d", nss, "-r", s.address, "-i", plain, "-o", sealed)
	if out := wants(t, 0, "decrypt", "--inform", "der", "--p12", s.p12, "--passphrase-file", s.passFile, sealed); !bytes.Contains(out, []byte("at noon.")) {
		t.Errorf("chancery decrypt of NSS's CMS gives:\n%s", out)
	}
}

// ocsp asks the responder with OpenSSL's client and gives what it says of the certificate.
func (s *story) ocsp() string {
	s.t.Helper()
	return peer(s.t, nil, "openssl", "ocsp", "-issuer", s.chain, "-cert", s.cert, "-url", s.house.doors.Public+"/ocsp", "-CAfile", s.root, "-no_cert_verify")
}

// crlCheck has OpenSSL check the certificate against the CRLs as they are now.
func (s *story) crlCheck() (string, error) {
	s.t.Helper()
	var lists []byte
	for _, issuer := range []string{"issuing", "root"} {
		lists = append(lists, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: s.fetch("/crl/" + issuer + ".crl")})...)
	}
	crls := file(s.t, s.dir, "crls.pem", lists)
	return peerMay(s.t, nil, "openssl", "verify", "-crl_check_all", "-CRLfile", crls, "-CAfile", s.root, "-untrusted", s.chain, s.cert)
}

// revoke ends the certificate on the status page; OpenSSL sees it in OCSP and in the CRL within a second.
func (s *story) revoke() {
	t := s.t
	if out := s.ocsp(); !strings.Contains(out, "Response verify OK") || !strings.Contains(out, ": good") {
		t.Errorf("before the revocation OCSP says:\n%s", out)
	}
	if out, err := s.crlCheck(); err != nil {
		t.Errorf("before the revocation the CRL check says: %v\n%s", err, out)
	}
	status := s.house.await("the certificate was issued", func(l letter) bool { return strings.Contains(l.Subject, "was issued") }).link("/o/")
	b := newBrowser(t, s.dir)
	do(t, b, "revoking", chromedp.Navigate(status), chromedp.Click(`a[href$="/revoke"]`, chromedp.ByQuery),
		chromedp.WaitVisible("#reason-superseded", chromedp.ByID), chromedp.Click("#reason-key-compromise", chromedp.ByID),
		chromedp.Click(`button.destructive`, chromedp.ByQuery), chromedp.WaitNotPresent("button.destructive", chromedp.ByQuery))
	within(t, time.Second, "the revocation is in the CRL", func() bool { _, err := s.crlCheck(); return err != nil })
	out, err := s.crlCheck()
	if err == nil || !strings.Contains(out, "certificate revoked") {
		t.Errorf("after the revocation the CRL check says: %v\n%s", err, out)
	}
	if out := s.ocsp(); !strings.Contains(out, ": revoked") || !strings.Contains(out, "keyCompromise") {
		t.Errorf("after the revocation OCSP says:\n%s", out)
	}
	signed := filepath.Join(s.dir, "signed.eml")
	s.verdict("invalid", 3, "--ca", s.root, "--crl", filepath.Join(s.dir, "crls.pem"), signed)
	s.house.await("that it was revoked", func(l letter) bool { return strings.Contains(l.Subject, "was revoked") })
}
