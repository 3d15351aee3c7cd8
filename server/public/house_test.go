package public

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/store"
)

// house is a small house with a real ledger, whose public door answers on loopback.
type house struct {
	t                testing.TB
	dir, url         string
	store            *store.Store
	authority        *status.Authority
	root, issuing    *x509.Certificate
	rootKey, issuer  crypto.Signer
	good, gone, none *x509.Certificate // a subscriber's certificate; one to be revoked; one that the ledger never heard of
	seen             *observations
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), seen: &observations{}}
	silent := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	h.store, err = store.Open(ctx, store.Config{Path: filepath.Join(h.dir, "house.db"), Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	h.certify()

	h.authority, err = status.New(h.store, status.Options{Log: silent},
		status.Issuer{Name: "root", Certificate: h.root, CertifiesCAs: true},
		h.issuingCA())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.authority.PublishWith(ctx, "root", h.rootKey); err != nil {
		t.Fatal(err)
	}
	if _, err := h.authority.Publish(ctx, "issuing"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + l.Addr().String()
	door := New(h.authority, Options{House: "Example & Söhne", Log: silent, Observer: h.seen})
	ended := make(chan error, 2)
	go func() { ended <- h.authority.Run(ctx) }()
	go func() { ended <- door.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("ended with: %v", err)
			}
		}
	})
	return h
}

// certify makes the hierarchy and three subscribers' certificates, and records all but one.
func (h *house) certify() {
	h.rootKey, h.issuer = h.key(elliptic.P384()), h.key(elliptic.P256())
	ca := func(cn string, years int) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: cn, Organization: []string{"Example"}}, NotAfter: time.Now().AddDate(years, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	}
	h.root = h.sign("root", ca("Example Root", 20), nil, h.rootKey, h.rootKey)
	h.issuing = h.sign("root", ca("Example Issuing", 10), h.root, h.issuer, h.rootKey)
	leaf := func(issuer string) *x509.Certificate {
		return h.sign(issuer, &x509.Certificate{Subject: pkix.Name{CommonName: "alice@example.com"}, EmailAddresses: []string{"alice@example.com"},
			NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}},
			h.issuing, h.key(elliptic.P256()), h.issuer)
	}
	h.good, h.gone, h.none = leaf("issuing"), leaf("issuing"), leaf("")
	for name, c := range map[string]*x509.Certificate{"root": h.root, "issuing": h.issuing, "good": h.good, "gone": h.gone, "none": h.none} {
		h.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
}

func (h *house) issuingCA() status.Issuer {
	k := h.key(elliptic.P256())
	c := h.sign("issuing", &x509.Certificate{Subject: pkix.Name{CommonName: "Example OCSP"}, NotAfter: time.Now().AddDate(0, 0, 30),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}}, h.issuing, k, h.issuer)
	return status.Issuer{Name: "issuing", Certificate: h.issuing, CRLSigner: h.issuer, Responder: &status.Responder{Certificate: c, Signer: k}}
}

func (h *house) key(c elliptic.Curve) crypto.Signer {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

// sign issues a certificate and records it under the issuer of that name, unless it is empty.
func (h *house) sign(issuer string, tmpl, parent *x509.Certificate, k, by crypto.Signer) *x509.Certificate {
	h.t.Helper()
	now := time.Now().Add(-time.Hour)
	serial := issuance.NewSerial()
	tmpl.SerialNumber, tmpl.NotBefore = serial.Int(), now
	der, err := x509.CreateCertificate(rand.Reader, tmpl, cmp.Or(parent, tmpl), k.Public(), by)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		h.t.Fatal(err)
	}
	if issuer == "" {
		return c
	}
	sum, spki := sha256.Sum256(der), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	for _, b := range []issuance.Batch{
		{Intents: []issuance.Intent{{Serial: serial, Issuer: issuer, Profile: "test", TBS: c.RawTBSCertificate, At: now, State: issuance.Open}}},
		{Certificates: []issuance.Certificate{{Serial: serial, Issuer: issuer, Profile: "test", DER: der, SHA256: hex.EncodeToString(sum[:]),
			SPKI: hex.EncodeToString(spki[:]), NotBefore: c.NotBefore, NotAfter: c.NotAfter, IssuedAt: now}}},
	} {
		if err := h.store.CommitBatch(context.Background(), b); err != nil {
			h.t.Fatal(err)
		}
	}
	return c
}

func (h *house) write(name string, b []byte) string {
	path := h.path(name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// revoke ends the certificate that is there to be revoked, and returns when everybody can know.
func (h *house) revoke() {
	h.t.Helper()
	now := time.Now()
	if err := h.authority.Commit(context.Background(), status.Change{Revocations: []status.Revocation{{Serial: issuance.SerialOf(h.gone.SerialNumber),
		Issuer: "issuing", At: now, Reason: status.KeyCompromise, By: "system", NotAfter: h.gone.NotAfter}}}); err != nil {
		h.t.Fatal(err)
	}
	for time.Since(now) < time.Second {
		list, err := x509.ParseRevocationList(h.get("/crl/issuing.crl").body)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(list.RevokedCertificateEntries) == 1 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	h.t.Fatal("the revocation was not on the list within a second")
}

// response is one, read to its end.
type response struct {
	*http.Response
	body []byte
}

func (h *house) get(path string, header ...string) response {
	h.t.Helper()
	return h.send(http.MethodGet, path, nil, header...)
}

// send asks for a path exactly as it is written, with pairs of header fields.
func (h *house) send(method, path string, body io.Reader, header ...string) response {
	h.t.Helper()
	r, err := http.NewRequest(method, h.url+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response{got, b}
}

// peer runs a program and returns what it printed, with its exit status.
func peer(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("%s is needed for the tests: %v", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
