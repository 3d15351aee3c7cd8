package mailbox_test

import (
	"fmt"

	"chancery.example/fault"
	"chancery.example/mailbox"
)

func ExampleParse() {
	a, _ := mailbox.Parse(" Alice@Bücher.example ")
	fmt.Println(a, a.Unicode())

	_, err := mailbox.Parse("alice@[192.0.2.1]")
	fmt.Println(fault.CodeOf(err))
	fmt.Println(fault.Sentence(err))
	// Output:
	// Alice@xn--bcher-kva.example Alice@bücher.example
	// mailbox.address-literal
	// Addresses at a numeric host cannot have a certificate. Please use an address at a domain, such as alice@example.com.
}
