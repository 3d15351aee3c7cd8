package ocsp_test

import (
	"crypto"
	"fmt"
	"testing"
	"time"

	"chancery.example/testca"
	"chancery.example/trust/ocsp"
)

// One side asks, the other answers, and the first believes the answer after Verify.
func ExampleResponder_Respond() {
	t := &testing.T{}
	ca := testca.New(t).Root()
	alice := ca.Leaf("alice@example.com")
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

	id, err := ocsp.NewCertID(ca.Cert, alice.Cert.SerialNumber, crypto.SHA256)
	if err != nil {
		panic(err)
	}
	request, err := (&ocsp.Request{IDs: []ocsp.CertID{id}}).Marshal()
	if err != nil {
		panic(err)
	}

	asked, err := ocsp.ParseRequest(request)
	if err != nil {
		panic(err)
	}
	responder := ocsp.Responder{Issuer: ca.Cert, Certificate: ca.Cert, Signer: ca.Key}
	answer, err := responder.Respond(now, asked.Nonce, ocsp.SingleResponse{
		ID: asked.IDs[0], Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(12 * time.Hour)})
	if err != nil {
		panic(err)
	}

	response, err := ocsp.ParseResponse(answer)
	if err != nil {
		panic(err)
	}
	if _, err := response.Verify(ca.Cert, now); err != nil {
		panic(err)
	}
	single, found := response.Find(id)
	fmt.Println(found, single.Status, single.CurrentAt(now.Add(time.Hour), 0))
	// Output: true good true
}
