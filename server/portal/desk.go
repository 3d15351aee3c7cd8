package portal

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// ordersData is the table of orders.
type ordersData struct {
	listing
	Orders []orderRow
	States []string
}

// orderRow is an order with its state as of now.
type orderRow struct {
	order.Order
	Now order.State
}

// orderStates are those by which the table can be filtered.
var orderStates = []string{string(order.Confirming), string(order.Approved), string(order.Issuing), string(order.Issued), string(order.Delivered), string(order.Revoked), string(order.Refused), string(order.Cancelled)}

func (p *Portal) orders(w http.ResponseWriter, r *http.Request) error {
	l := readListing(r)
	read := func(after string, limit int) ([]order.Order, error) {
		return p.Ledger.Orders(r.Context(), order.Filter{Text: l.Q, State: order.State(l.State), After: order.ID(after), Limit: limit})
	}
	key := func(o order.Order) string { return string(o.ID) }
	if exporting(r) {
		list, err := all(read, key)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, o := range list {
			rows = append(rows, []string{string(o.ID), o.Mailbox.String(), string(o.StateAt(p.Clock())), o.Profile, o.Serial, o.By.String(), stamp(o.CreatedAt), stamp(o.ApprovedAt), stamp(o.DeliveredAt)})
		}
		return export(w, r, "orders", []string{"id", "mailbox", "state", "profile", "serial", "by", "created_at", "approved_at", "delivered_at"}, rows)
	}
	list, err := read(l.After, pageRows+1)
	if err != nil {
		return err
	}
	d := ordersData{States: orderStates}
	for _, o := range turn(&l, r, list, key) {
		d.Orders = append(d.Orders, orderRow{Order: o, Now: o.StateAt(p.Clock())})
	}
	d.listing = l
	v := p.page(r, "")
	v.Wide, v.Live, v.Data = true, true, d
	v.Calls = p.listCalls("call.orders", "/api/v1/orders", "chancery order list", l)
	return p.render(w, r, http.StatusOK, "orders", v)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// orderPage is one order for those who may see it: staff, and holders and requesters with an account.
func (p *Portal) orderPage(w http.ResponseWriter, r *http.Request, at workflow.Page) error {
	entries, err := p.history(r, at)
	if err != nil {
		return err
	}
	v := p.page(r, "")
	f := p.follow(r, at, entries)
	if f.Names = p.names(r, entries, at.Order.By); !p.may(r, access.AuditRead) {
		f.History = forHolder(entries)
	}
	who, on := access.From(r.Context()), access.OfOrder(at.Order)
	f.May = map[string]bool{
		"inform": p.informable(at.Order) && p.Access.Allow(who, access.OrderInform, on) == nil,
		"cancel": cancellable(at) && p.Access.Allow(who, access.OrderCancel, on) == nil,
		"outbox": p.may(r, access.OutboxRead),
	}
	v.Wide, v.Live, v.Data = true, f.Busy, f
	v.Calls = p.statusCalls(at.Order)
	return p.render(w, r, http.StatusOK, "order-staff", v)
}

// cancellable reports whether the path of an order has a cancellation from where it is.
func cancellable(at workflow.Page) bool {
	_, ok := order.Next(at.State, order.Cancel)
	return ok
}

// Cancellable is cancellable for templates.
func (f following) Cancellable() bool { return cancellable(f.Page) }

func (p *Portal) orderInform(w http.ResponseWriter, r *http.Request, at workflow.Page) error {
	if err := p.mayMail(at.Order.Mailbox); err != nil {
		return err
	}
	if err := p.informAbout(r, at.Order, access.From(r.Context())); err != nil {
		return err
	}
	return back(w, r, "/admin/orders/"+string(at.Order.ID)+"?done=informed")
}

func (p *Portal) orderCancel(w http.ResponseWriter, r *http.Request, at workflow.Page) error {
	if err := p.Orders.Cancel(r.Context(), at.Order.ID, strings.TrimSpace(r.PostFormValue("why")), access.From(r.Context()).Actor()); err != nil {
		return err
	}
	return back(w, r, "/admin/orders/"+string(at.Order.ID))
}

// certificatesData is the table of certificates.
type certificatesData struct {
	listing
	Certificates []certificateRow
}

// certificateRow is a certificate with how it stands.
type certificateRow struct {
	issuance.Certificate
	Mark, State string
	Revocation  *status.Revocation
	Used        int // how much of its time is over, in percent
}

// row says how a certificate stands.
func (p *Portal) row(r *http.Request, c issuance.Certificate) (certificateRow, error) {
	standing, err := p.Ledger.Standing(r.Context(), c.Issuer, c.Serial)
	if err != nil {
		return certificateRow{}, err
	}
	now := p.Clock()
	row := certificateRow{Certificate: c, Mark: "done", State: "valid", Revocation: standing.Revocation}
	if life := c.NotAfter.Sub(c.NotBefore); life > 0 {
		row.Used = max(0, min(100, int(100*now.Sub(c.NotBefore)/life)))
	}
	switch {
	case row.Revocation != nil:
		row.Mark, row.State = "bad", "revoked"
	case now.After(c.NotAfter):
		row.Mark, row.State = "next", "ended"
	case now.Add(30 * 24 * time.Hour).After(c.NotAfter):
		row.Mark, row.State = "warn", "ending"
	}
	return row, nil
}

func (p *Portal) certificates(w http.ResponseWriter, r *http.Request) error {
	l := readListing(r)
	text := l.Q
	if s, err := issuance.ParseSerial(text); err == nil && len(text) > 12 { // pasted with spaces or colons
		text = string(s)
	}
	read := func(after string, limit int) ([]issuance.Certificate, error) {
		return p.Ledger.Certificates(r.Context(), issuance.Filter{Text: text, After: issuance.Serial(after), Limit: limit})
	}
	key := func(c issuance.Certificate) string { return string(c.Serial) }
	if exporting(r) {
		list, err := all(read, key)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, c := range list {
			row, err := p.row(r, c)
			if err != nil {
				return err
			}
			rows = append(rows, []string{string(c.Serial), c.Mailbox, row.State, c.Profile, c.Issuer, c.SHA256, c.Order, stamp(c.NotBefore), stamp(c.NotAfter), stamp(c.IssuedAt)})
		}
		return export(w, r, "certificates", []string{"serial", "mailbox", "state", "profile", "issuer", "sha256", "order", "not_before", "not_after", "issued_at"}, rows)
	}
	list, err := read(l.After, pageRows+1)
	if err != nil {
		return err
	}
	var d certificatesData
	for _, c := range turn(&l, r, list, key) {
		row, err := p.row(r, c)
		if err != nil {
			return err
		}
		d.Certificates = append(d.Certificates, row)
	}
	d.listing = l
	v := p.page(r, "")
	v.Wide, v.Live, v.Data = true, true, d
	v.Calls = p.listCalls("call.certificates", "/api/v1/certificates", "chancery cert list", l)
	return p.render(w, r, http.StatusOK, "certificates", v)
}

// certificateData is one certificate.
type certificateData struct {
	certificateRow
	Order                       order.Order
	Subject, IssuerName         string
	Algorithm, Signature        string
	Addresses, Lists, Answerers []string
	KeyUsage, Policies          []string
	History                     []audit.Entry
	Names                       map[string]string // of accounts in it, by the ID of an actor
	MayRevoke                   bool
}

func (p *Portal) certificatePage(w http.ResponseWriter, r *http.Request, at owned) error {
	row, err := p.row(r, at.Certificate)
	if err != nil {
		return err
	}
	entries, err := p.Ledger.AuditEntries(r.Context(), audit.Filter{Subject: "certificate/" + string(at.Serial), Limit: 100})
	if err != nil {
		return err
	}
	c := certificateOf(at.DER)
	d := certificateData{certificateRow: row, Order: at.Order, Subject: c.Subject.String(), IssuerName: c.Issuer.String(), Algorithm: algorithmOf(c), Signature: c.SignatureAlgorithm.String(),
		Addresses: c.EmailAddresses, Lists: c.CRLDistributionPoints, Answerers: c.OCSPServer, KeyUsage: usages(c), History: entries, Names: p.names(r, entries)}
	for _, oid := range c.Policies {
		d.Policies = append(d.Policies, oid.String())
	}
	d.MayRevoke = at.Certificate.Order != "" && row.Revocation == nil && row.State != "ended" &&
		p.Access.Allow(access.From(r.Context()), access.CertificateRevoke, access.OfCertificate(at.Certificate, at.Order)) == nil
	v := p.page(r, "")
	v.Wide, v.Data = true, d
	v.Calls = []call{p.get("call.certificate", "/api/v1/certificates/"+string(at.Serial), "chancery cert show "+string(at.Serial))}
	return p.render(w, r, http.StatusOK, "certificate", v)
}

func (p *Portal) certificateFile(w http.ResponseWriter, r *http.Request, at owned) error {
	if at.Certificate.Order != "" {
		// The certificate of an order comes with its chain, unless a later one has taken its place.
		if parcel, err := p.Orders.Fetch(r.Context(), order.ID(at.Certificate.Order)); err == nil && parcel.Certificate != nil && string(parcel.Certificate.Raw) == string(at.DER) {
			return attach(w, parcel.Name, parcel.ContentType, parcel.Data)
		}
	}
	return attach(w, string(at.Serial)+".pem", "application/x-pem-file", pemOf(at.DER))
}

func (p *Portal) certificateRevokePage(w http.ResponseWriter, r *http.Request, at owned) error {
	return p.showStaffRevoke(w, r, http.StatusOK, at, nil)
}

func (p *Portal) showStaffRevoke(w http.ResponseWriter, r *http.Request, code int, at owned, errs []fieldError) error {
	here := "/admin/certificates/" + string(at.Serial)
	v := p.page(r, "")
	v.Errors, v.Calls = errs, p.revokeCalls(string(at.Serial))
	cert := at.Certificate
	v.Data = revokeData{Page: workflow.Page{Order: at.Order, Certificate: &cert}, To: at.Mailbox, Serial: string(at.Serial), Back: here, Action: here + "/revoke", Reasons: status.Names(status.Specialist)}
	return p.render(w, r, code, "revoke", v)
}

func (p *Portal) certificateRevoke(w http.ResponseWriter, r *http.Request, at owned) error {
	who := access.From(r.Context())
	by := status.Specialist
	if !who.Roles.Has(access.Specialist) && !who.Roles.Has(access.Administrator) {
		by = status.Subscriber
	}
	reason, errs := p.reason(p.page(r, "").Lang, r, by)
	if len(errs) > 0 {
		return p.showStaffRevoke(w, r, http.StatusUnprocessableEntity, at, errs)
	}
	if err := p.Desk.Revoke(r.Context(), at.Serial, reason, who.Actor()); err != nil {
		return err
	}
	return back(w, r, "/admin/certificates/"+string(at.Serial))
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// algorithmOf is the kind of key that a certificate is for.
func algorithmOf(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return k.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}

// usages lists what a key is for, in the names of RFC 5280.
func usages(c *x509.Certificate) []string {
	var out []string
	for _, u := range []struct {
		bit  x509.KeyUsage
		name string
	}{{x509.KeyUsageDigitalSignature, "digitalSignature"}, {x509.KeyUsageContentCommitment, "nonRepudiation"}, {x509.KeyUsageKeyEncipherment, "keyEncipherment"},
		{x509.KeyUsageKeyAgreement, "keyAgreement"}, {x509.KeyUsageCertSign, "keyCertSign"}, {x509.KeyUsageCRLSign, "cRLSign"}} {
		if c.KeyUsage&u.bit != 0 {
			out = append(out, u.name)
		}
	}
	for _, e := range c.ExtKeyUsage {
		switch e {
		case x509.ExtKeyUsageEmailProtection:
			out = append(out, "emailProtection")
		case x509.ExtKeyUsageClientAuth:
			out = append(out, "clientAuth")
		case x509.ExtKeyUsageOCSPSigning:
			out = append(out, "OCSPSigning")
		}
	}
	return out
}
