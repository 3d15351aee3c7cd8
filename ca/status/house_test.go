package status

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
)

// ledger keeps in memory what a store would keep, by the same rules: numbers in order, the first revocation of a
// serial number stays, a list's number is the next one or a conflict.
type ledger struct {
	mu          sync.Mutex
	known       map[certificate]bool
	revocations []Revocation
	lists       map[string][]CRL
	entries     []audit.Entry
	slow        func() // called at the beginning of each read of a standing, without the lock
}

func newLedger() *ledger {
	return &ledger{known: map[certificate]bool{}, lists: map[string][]CRL{}}
}

func (l *ledger) issue(issuer string, s issuance.Serial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[certificate{issuer, s}] = true
}

func (l *ledger) Standing(_ context.Context, issuer string, s issuance.Serial) (Standing, error) {
	if l.slow != nil {
		l.slow()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Standing{Known: l.known[certificate{issuer, s}]}
	for i, r := range l.revocations {
		if r.Issuer == issuer && r.Serial == s {
			st.Revocation = &l.revocations[i]
		}
	}
	return st, nil
}

func (l *ledger) CommitRevocations(_ context.Context, c Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range c.Revocations {
		if slices.ContainsFunc(l.revocations, func(o Revocation) bool { return o.Issuer == r.Issuer && o.Serial == r.Serial }) {
			continue
		}
		r.N = int64(len(l.revocations)) + 1
		l.revocations = append(l.revocations, r)
	}
	return nil
}

func (l *ledger) LastRevocation(_ context.Context, issuer string) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.revocations) {
		if r.Issuer == issuer {
			return r.N, nil
		}
	}
	return 0, nil
}

func (l *ledger) Revocations(_ context.Context, issuer string, after int64, notBefore time.Time, f func(Revocation) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.revocations {
		if r.Issuer == issuer && r.N > after && r.NotAfter.After(notBefore) {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *ledger) LastCRL(_ context.Context, issuer string) (CRL, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.lists[issuer]); n > 0 {
		return l.lists[issuer][n-1], nil
	}
	return CRL{}, fault.New(fault.NotFound, "crl.none", "There is none.")
}

func (l *ledger) CommitCRL(_ context.Context, c CRL, entries ...audit.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Number != int64(len(l.lists[c.Issuer]))+1 {
		return fault.New(fault.Conflict, "crl.number", "That is not the next number.")
	}
	l.lists[c.Issuer] = append(l.lists[c.Issuer], c)
	l.entries = append(l.entries, entries...)
	return nil
}

// house is a root, an issuing CA and its responder.
type house struct {
	root, issuing, responder          *x509.Certificate
	rootKey, issuingKey, responderKey crypto.Signer
	dir                               string // root.pem, issuing.pem, chain.pem
}

func key(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch kind {
	case "p384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certify(t testing.TB, tmpl, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, cmp.Or(parent, tmpl), pub, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newHouse makes the hierarchy, with an issuing key of that kind.
func newHouse(t testing.TB, kind string) *house {
	t.Helper()
	now := time.Now().Add(-time.Hour)
	ca := func(cn string, years int) *x509.Certificate {
		return &x509.Certificate{SerialNumber: issuance.NewSerial().Int(), Subject: pkix.Name{CommonName: cn, Organization: []string{"Example"}, Country: []string{"DE"}},
			NotBefore: now, NotAfter: now.AddDate(years, 0, 0), IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	}
	h := &house{rootKey: key(t, "p384"), issuingKey: key(t, kind), responderKey: key(t, "p256"), dir: t.TempDir()}
	h.root = certify(t, ca("Example Root", 20), nil, h.rootKey.Public(), h.rootKey)
	h.issuing = certify(t, ca("Example Issuing", 10), h.root, h.issuingKey.Public(), h.rootKey)
	h.responder = h.newResponder(t, h.responderKey, now.AddDate(0, 0, 30))
	h.write(t, "root.pem", h.root.Raw)
	h.write(t, "issuing.pem", h.issuing.Raw)
	return h
}

func (h *house) newResponder(t testing.TB, k crypto.Signer, until time.Time) *x509.Certificate {
	return certify(t, &x509.Certificate{SerialNumber: issuance.NewSerial().Int(), Subject: pkix.Name{CommonName: "Example OCSP"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}}, h.issuing, k.Public(), h.issuingKey)
}

// subscriber issues a certificate, recorded in l, and writes it to name.
func (h *house) subscriber(t testing.TB, l *ledger, name string) *x509.Certificate {
	t.Helper()
	serial := issuance.NewSerial()
	c := certify(t, &x509.Certificate{SerialNumber: serial.Int(), Subject: pkix.Name{CommonName: "alice@example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), EmailAddresses: []string{"alice@example.com"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}},
		h.issuing, key(t, "p256").Public(), h.issuingKey)
	l.issue("issuing", serial)
	h.write(t, name, c.Raw)
	return c
}

func (h *house) write(t testing.TB, name string, der []byte) string {
	t.Helper()
	block := "CERTIFICATE"
	if filepath.Ext(name) == ".crl" {
		block = "X509 CRL"
	}
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: block, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (h *house) issuers() []Issuer {
	return []Issuer{
		{Name: "root", Certificate: h.root, CertifiesCAs: true},
		{Name: "issuing", Certificate: h.issuing, CRLSigner: h.issuingKey, Responder: &Responder{Certificate: h.responder, Signer: h.responderKey}},
	}
}

// open makes an Authority over l; it does not run.
func (h *house) open(t testing.TB, l Ledger, o Options) *Authority {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a, err := New(l, o, h.issuers()...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run runs a until the test ends.
func run(t testing.TB, a *Authority) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// revocation of a serial number now, of a certificate that ends in a year.
func revocation(s issuance.Serial, r Reason) Revocation {
	now := time.Now().UTC()
	return Revocation{Serial: s, Issuer: "issuing", At: now, Reason: r, By: "system", NotAfter: now.AddDate(1, 0, 0)}
}

func revoke(t testing.TB, l Ledger, rs ...Revocation) {
	t.Helper()
	if err := l.CommitRevocations(context.Background(), Change{Revocations: rs}); err != nil {
		t.Fatal(err)
	}
}

// withinASecond asks until ok or a second has gone, which is what the house promises.
func withinASecond(t testing.TB, what string, ok func() bool) { within(t, time.Second, what, ok) }

// soon is for what is promised by nobody, and waits longer on a busy machine.
func soon(t testing.TB, what string, ok func() bool) { within(t, 10*time.Second, what, ok) }

func within(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %s: %s", d, what)
}

// openssl runs the peer and returns what it printed, with its exit status.
func openssl(t testing.TB, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("openssl is needed for the tests: %v", err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func serialOf(c *x509.Certificate) issuance.Serial { return issuance.SerialOf(c.SerialNumber) }

func parse(t testing.TB, der []byte, by *x509.Certificate) *x509.RevocationList {
	t.Helper()
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignatureFrom(by); err != nil {
		t.Fatal(err)
	}
	return l
}

func has(l *x509.RevocationList, serial *big.Int) bool {
	return slices.ContainsFunc(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(serial) == 0 })
}
