package api

import (
	"context"
	"encoding/pem"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/lifecycle"
	"chancery.example/ra/order"
	"chancery.example/server/access"
)

// Certificate is a certificate as programs see it.
type Certificate struct {
	Serial     string      `json:"serial" doc:"In hex." example:"3f9a0c…"`
	Issuer     string      `json:"issuer" example:"issuing"`
	Order      string      `json:"order,omitempty"`
	Profile    string      `json:"profile" example:"mv-strict"`
	Mailbox    string      `json:"mailbox,omitempty"`
	SHA256     string      `json:"sha256" doc:"The fingerprint, in hex."`
	NotBefore  time.Time   `json:"not_before"`
	NotAfter   time.Time   `json:"not_after"`
	IssuedAt   time.Time   `json:"issued_at"`
	Status     string      `json:"status" enum:"valid,revoked,ended"`
	Revocation *Revocation `json:"revocation,omitempty"`
	PEM        string      `json:"pem,omitempty" doc:"The certificate itself; not in lists."`
}

// Revocation is the end of a certificate before its time.
type Revocation struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason" example:"superseded"`
	By     string    `json:"by"`
}

type certificateReply struct{ Body Certificate }

// BySerial names a certificate in a path; see ByOrder.
type BySerial struct {
	Serial string `path:"serial" doc:"The serial number in hex." maxLength:"80"`
}

type listCertificates struct {
	Text  string `query:"text" doc:"Part of the address, or the serial number or fingerprint in hex." maxLength:"400"`
	Order string `query:"order" doc:"Of this order." maxLength:"64"`
	House bool   `query:"house" doc:"The house's own certificates instead of subscribers'."`
	After string `query:"after" doc:"The last serial number of the page before." maxLength:"80"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
}

type certificatesReply struct {
	Body struct {
		Certificates []Certificate `json:"certificates"`
		After        string        `json:"after,omitempty" doc:"Ask with this for the next page; absent on the last."`
	}
}

type revoke struct {
	BySerial
	Body struct {
		Reason string `json:"reason" doc:"Why." example:"superseded" enum:"superseded,cessation-of-operation,affiliation-changed,key-compromise,privilege-withdrawn,unspecified"`
	}
}

type renew struct {
	BySerial
	Body struct {
		Agreement       string `json:"agreement" doc:"The version of the subscriber agreement that the holder accepts." maxLength:"32"`
		AgreementSHA256 string `json:"agreement_sha256" maxLength:"64"`
		Request         string `json:"request,omitempty" doc:"A PKCS#10 request as PEM for the new key. Without it a key is born at pick-up." maxLength:"100000"`
	}
}

// certificates registers the calls about certificates.
func (a *API) certificates() {
	call(a, access.CertificateList, huma.Operation{OperationID: "list-certificates", Method: http.MethodGet, Path: "/api/v1/certificates", Summary: "Search certificates, newest first"}, a.listCertificates)
	call(a, access.CertificateRead, huma.Operation{OperationID: "get-certificate", Method: http.MethodGet, Path: "/api/v1/certificates/{serial}", Summary: "See a certificate"}, a.getCertificate)
	call(a, access.CertificateRevoke, huma.Operation{OperationID: "revoke-certificate", Method: http.MethodPost, Path: "/api/v1/certificates/{serial}/revoke",
		Summary: "Revoke a certificate", Description: "For good. It is in the CRL and in OCSP within a second, and the holder gets a mail."}, a.revoke)
	call(a, access.OrderRenew, huma.Operation{OperationID: "renew-certificate", Method: http.MethodPost, Path: "/api/v1/certificates/{serial}/renew", DefaultStatus: http.StatusCreated,
		Summary: "Order the successor of a certificate", Description: "The same claims, a new key. Fresh evidence is used again where the key is born at pick-up; with a request, or without fresh evidence, the mailbox is asked to confirm."}, a.renew)
}

func (a *API) certificateOut(ctx context.Context, c issuance.Certificate) (Certificate, error) {
	out := Certificate{Serial: string(c.Serial), Issuer: c.Issuer, Order: c.Order, Profile: c.Profile, Mailbox: c.Mailbox, SHA256: c.SHA256,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, IssuedAt: c.IssuedAt, Status: "valid"}
	s, err := a.Ledger.Standing(ctx, c.Issuer, c.Serial)
	if err != nil {
		return out, err
	}
	switch {
	case s.Revocation != nil:
		out.Status = "revoked"
		out.Revocation = &Revocation{At: s.Revocation.At, Reason: s.Revocation.Reason.String(), By: s.Revocation.By}
	case a.Now().After(c.NotAfter):
		out.Status = "ended"
	}
	return out, nil
}

func (a *API) listCertificates(ctx context.Context, in *listCertificates) (*certificatesReply, error) {
	list, err := a.Ledger.Certificates(ctx, issuance.Filter{Text: in.Text, Order: in.Order, House: in.House, After: issuance.Serial(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &certificatesReply{}
	out.Body.Certificates = make([]Certificate, 0, len(list))
	for _, c := range list {
		one, err := a.certificateOut(ctx, c)
		if err != nil {
			return nil, err
		}
		out.Body.Certificates = append(out.Body.Certificates, one)
	}
	if len(list) == in.Limit {
		out.Body.After = string(list[len(list)-1].Serial)
	}
	return out, nil
}

// findCertificate reads a certificate and checks that the caller may do this to it. Whoever may not see it learns nothing of it.
func (a *API) findCertificate(ctx context.Context, serial string, do access.Action) (issuance.Certificate, error) {
	s, err := issuance.ParseSerial(serial)
	if err != nil {
		return issuance.Certificate{}, err
	}
	c, err := a.Ledger.Certificate(ctx, s)
	if err != nil {
		return c, err
	}
	var o order.Order
	if c.Order != "" {
		if o, err = a.Ledger.Order(ctx, order.ID(c.Order)); err != nil {
			return c, err
		}
	}
	on := access.OfCertificate(c, o)
	if !a.Rights.Can(access.From(ctx), access.CertificateRead, on) {
		return issuance.Certificate{}, fault.New(fault.NotFound, "serial.unknown", "There is no certificate with this serial number.")
	}
	if do == access.OrderRenew {
		on = access.OfOrder(o)
	}
	return c, a.Rights.Allow(access.From(ctx), do, on)
}

func (a *API) getCertificate(ctx context.Context, in *BySerial) (*certificateReply, error) {
	c, err := a.findCertificate(ctx, in.Serial, access.CertificateRead)
	if err != nil {
		return nil, err
	}
	return a.whole(ctx, c)
}

func (a *API) whole(ctx context.Context, c issuance.Certificate) (*certificateReply, error) {
	out, err := a.certificateOut(ctx, c)
	out.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
	return &certificateReply{Body: out}, err
}

func (a *API) revoke(ctx context.Context, in *revoke) (*certificateReply, error) {
	c, err := a.findCertificate(ctx, in.Serial, access.CertificateRevoke)
	if err != nil {
		return nil, err
	}
	why, err := status.ParseReason(in.Body.Reason)
	if err != nil {
		return nil, err
	}
	if err := status.Permit(revoker(access.From(ctx)), why); err != nil {
		return nil, err
	}
	if err := a.Desk.Revoke(ctx, c.Serial, why, access.From(ctx).Actor()); err != nil {
		return nil, err
	}
	return a.whole(ctx, c)
}

// revoker says as whom somebody revokes: staff may give reasons that holders may not.
func revoker(p access.Principal) status.Revoker {
	if p.Kind == access.Operator || p.Roles.Has(access.Administrator) || p.Roles.Has(access.Specialist) {
		return status.Specialist
	}
	return status.Subscriber
}

func (a *API) renew(ctx context.Context, in *renew) (*orderReply, error) {
	c, err := a.findCertificate(ctx, in.Serial, access.OrderRenew)
	if err != nil {
		return nil, err
	}
	if err := a.Limiter.Take(access.DoorMail, c.Mailbox); err != nil {
		return nil, err
	}
	o, err := a.Desk.Renew(ctx, c.Serial, lifecycle.Renewal{Agreement: in.Body.Agreement, AgreementSHA256: in.Body.AgreementSHA256,
		Request: []byte(in.Body.Request), By: access.From(ctx).Actor()})
	if err != nil {
		return nil, err
	}
	return &orderReply{Body: orderOut(o, a.Now())}, nil
}
