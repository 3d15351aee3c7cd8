package cms

// cursor walks over DER in memory, element by element. What it returns aliases the memory.
type cursor []byte

// next takes the next element.
func (c *cursor) next() (element, bool) {
	e, ok := parseElement(*c)
	if ok {
		*c = e.rest
	}
	return e, ok
}

// take takes the next element if it has tag t.
func (c *cursor) take(t tag) (element, bool) {
	e, ok := parseElement(*c)
	if !ok || e.tag != t {
		return element{}, false
	}
	*c = e.rest
	return e, true
}

// algorithm takes an AlgorithmIdentifier that has tag t.
func (c *cursor) algorithm(t tag) (Algorithm, bool) {
	e, ok := c.take(t)
	if !ok || !e.constructed {
		return Algorithm{}, false
	}
	fields := cursor(e.contents)
	o, ok := fields.oid()
	if !ok {
		return Algorithm{}, false
	}
	a := Algorithm{OID: o}
	if len(fields) > 0 {
		parameters, ok := fields.next()
		if !ok || len(fields) > 0 {
			return Algorithm{}, false
		}
		a.Parameters = parameters.whole
	}
	return a, true
}

// oid takes an OBJECT IDENTIFIER.
func (c *cursor) oid() (OID, bool) {
	e, ok := c.take(tagOID)
	if !ok || e.constructed {
		return "", false
	}
	return parseOID(e.contents)
}

// smallInteger reads p as one INTEGER that is not negative and has at most four bytes.
func smallInteger(p []byte) (int, bool) {
	rest := cursor(p)
	e, ok := rest.take(tagInteger)
	if !ok || len(rest) != 0 || e.constructed || len(e.contents) == 0 || len(e.contents) > 4 || e.contents[0]&0x80 != 0 {
		return 0, false
	}
	n := 0
	for _, c := range e.contents {
		n = n<<8 | int(c)
	}
	return n, true
}
