package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"chancery.example/app"
	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/mailbox"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/validation"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
	"chancery.example/store"
)

const (
	orders   = 4000
	clients  = 16
	limitFor = 3 * time.Second
)

// issuanceRates measures issuance over HTTP, with verdict, lint, audit entries and two durable commits for each certificate,
// beside what this machine's processors can do at most: to check a request and sign a certificate, in memory.
func issuanceRates(ctx context.Context) error {
	csr, err := request()
	if err != nil {
		return err
	}
	limit, err := rawLimit(csr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "chancery-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h, err := openHouse(ctx, dir)
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := seed(ctx, h)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	ready, done := make(chan app.Doors, 1), make(chan error, 1)
	go func() { done <- h.Run(run, func(d app.Doors) { ready <- d }) }()
	defer func() { stop(); <-done }()
	var doors app.Doors
	select {
	case doors = <-ready:
	case err := <-done:
		done <- err
		return err
	}
	before := h.Store.Stats()
	waits, took, err := issueAll(ctx, doors.Portal, links, csr)
	if err != nil {
		return err
	}
	after := h.Store.Stats()
	rate := float64(len(waits)) / took.Seconds()
	slices.Sort(waits)
	fmt.Println("Issuance, P-256 issuing key, P-256 requests, SQLite with synchronous=FULL")
	fmt.Printf("  limit: check a request and sign, in memory   %8.0f /s\n", limit)
	fmt.Printf("  over HTTP, %d clients, %d certificates     %8.0f /s   %.2f of the limit\n", clients, len(waits), rate, rate/limit)
	fmt.Printf("  waiting for one                              %8.1f ms median, %.1f ms at 99 %%\n", ms(waits[len(waits)/2]), ms(waits[len(waits)*99/100]))
	fmt.Printf("  database commits for one certificate         %8.2f   (%.2f steps stored)\n",
		float64(after.Commits-before.Commits)/float64(len(waits)), float64(after.Units-before.Units)/float64(len(waits)))
	fmt.Println("  Included: link checked, evidence judged, request checked, own lint and zlint, intent, signature, record, audit")
	fmt.Println("  entries; and, at the same time, the mails about the certificates of this run being composed and written.")
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// request makes one PKCS#10 request; every order may use it, for the house does not mind one key in many orders.
func request() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
}

// rawLimit is how often a second the processors can parse and check a request and sign a certificate with the standard
// library, with nothing recorded.
func rawLimit(csr []byte) (float64, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Limit"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0), SubjectKeyId: []byte{1}}
	var count atomic.Int64
	var failed atomic.Value
	end := time.Now().Add(limitFor)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for n := int64(2); time.Now().Before(end); n++ {
				r, err := x509.ParseCertificateRequest(csr)
				if err == nil {
					err = r.CheckSignature()
				}
				if err == nil {
					leaf := &x509.Certificate{SerialNumber: big.NewInt(n), EmailAddresses: []string{"alice@example.com"}, NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
						KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
						CRLDistributionPoints: []string{"http://pki.example.com/crl/issuing.crl"}}
					_, err = x509.CreateCertificate(rand.Reader, leaf, parent, r.PublicKey, key)
				}
				if err != nil {
					failed.Store(err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	if err, ok := failed.Load().(error); ok {
		return 0, err
	}
	return float64(count.Load()) / limitFor.Seconds(), nil
}

// openHouse makes a house for the benchmark, whose doors have no limits for anonymous people.
func openHouse(ctx context.Context, dir string) (*app.House, error) {
	c := config.Default()
	c.Data = filepath.Join(dir, "data")
	for _, listen := range []*string{&c.Portal.Listen, &c.Public.Listen} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*listen = l.Addr().String()
		l.Close()
	}
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	if err := app.Make(ctx, c, app.Making{Plan: plan, Protection: keystore.Clear(), By: audit.Actor{Kind: audit.Operator}, Now: time.Now(), Say: func(string) {}}); err != nil {
		return nil, err
	}
	return app.Open(ctx, c, app.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Limits: map[access.Door]access.Limit{}})
}

// seed puts approved orders into the ledger, each with its evidence and a pick-up link, as confirming would.
func seed(ctx context.Context, h *app.House) ([]string, error) {
	book, err := agreement.Open()
	if err != nil {
		return nil, err
	}
	text := book.In("en")
	links := make([]string, orders)
	var next atomic.Int64
	var failed atomic.Value
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < orders; n = int(next.Add(1)) - 1 {
				secret, err := approved(ctx, h.Store, n, text)
				if err != nil {
					failed.Store(err)
					return
				}
				links[n] = secret
			}
		})
	}
	all.Wait()
	err, _ = failed.Load().(error)
	return links, err
}

func approved(ctx context.Context, ledger *store.Store, n int, text agreement.Text) (string, error) {
	to, err := mailbox.Parse(fmt.Sprintf("person%d@example.com", n))
	if err != nil {
		return "", err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	by := audit.Actor{Kind: audit.System}
	o := order.Order{ID: order.NewID(), Mailbox: to, Profile: "mv-strict", Language: "en", By: by,
		Agreement: approval.Agreement{Version: text.Version, Language: "en", SHA256: text.SHA256, At: now, By: by.String()}}
	s := workflow.Step{}
	for _, on := range []order.Event{order.Submit, order.Confirm, order.Approve} {
		if o, err = o.Advance(on, now); err != nil {
			return "", err
		}
	}
	s.Order = o
	e, err := validation.ByEmail(to, validation.Sent{Mail: "seed", At: now}, now, string(o.ID))
	if err != nil {
		return "", err
	}
	link, secret := order.NewLink(o.ID, order.ToPickup, "seed", now, 24*time.Hour)
	s.Evidence, s.Links = []approval.Evidence{e}, []order.Link{link}
	s.Audit = []audit.Entry{audit.New(now, by, "order.seed", o.Subject(), nil)}
	return string(secret), ledger.Commit(ctx, s)
}

// issueAll picks up every order over HTTP with a request, and gives how long each took.
func issueAll(ctx context.Context, portal string, links []string, csr []byte) ([]time.Duration, time.Duration, error) {
	form := url.Values{"way": {"own"}, "request": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))}}.Encode()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	waits := make([]time.Duration, len(links))
	var next atomic.Int64
	var failed atomic.Value
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(links) && failed.Load() == nil; n = int(next.Add(1)) - 1 {
				at := time.Now()
				if err := pickUp(ctx, client, portal+"/pickup/"+links[n], form); err != nil {
					failed.Store(err)
					return
				}
				waits[n] = time.Since(at)
			}
		})
	}
	all.Wait()
	err, _ := failed.Load().(error)
	return waits, time.Since(began), err
}

func pickUp(ctx context.Context, client *http.Client, address, form string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	a, err := client.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	got, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK || !strings.HasPrefix(string(got), "-----BEGIN CERTIFICATE-----") {
		return fmt.Errorf("a pick-up was answered with %s: %.300s", a.Status, got)
	}
	return nil
}
