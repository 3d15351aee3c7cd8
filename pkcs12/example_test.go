package pkcs12_test

import (
	"fmt"
	"testing"

	"chancery.example/fault"
	"chancery.example/pkcs12"
	"chancery.example/testca"
)

// A signing and an encryption key travel together, each with its name and chain.
func ExampleEncode() {
	t := &testing.T{}
	issuing := testca.New(t).Root().Issuing()
	var keys []pkcs12.Identity
	for _, name := range []string{"Alice, signing", "Alice, encryption"} {
		leaf := issuing.Leaf("alice@example.com")
		keys = append(keys, pkcs12.Identity{Key: leaf.Key, Cert: leaf.Cert, Chain: leaf.Intermediates(), FriendlyName: name})
	}
	file, err := pkcs12.Encode(keys, "correct horse battery staple", pkcs12.Modern)
	if err != nil {
		panic(err)
	}

	identities, _, err := pkcs12.Decode(file, "correct horse battery staple", pkcs12.Limits{})
	if err != nil {
		panic(err)
	}
	for _, id := range identities {
		fmt.Println(id.FriendlyName, len(id.Chain))
	}
	_, _, err = pkcs12.Decode(file, "wrong", pkcs12.Limits{})
	fmt.Println(fault.CodeOf(err))
	// Output:
	// Alice, signing 1
	// Alice, encryption 1
	// pkcs12.wrong-password
}
