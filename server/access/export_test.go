package access

// CheapHashing makes passwords cheap to hash, so that tests of everything else are quick.
func (a *Access) CheapHashing() { a.hashing = newHashing(argonCost{memory: 8, passes: 1, lanes: 1}) }

// DearerHashing raises the cost, as a later version of the house might.
func (a *Access) DearerHashing() {
	dummy := a.hashing.dummy
	a.hashing = newHashing(argonCost{memory: 16, passes: 1, lanes: 1})
	a.hashing.dummy = dummy
}

// Hashed is how many passwords were hashed so far.
func (a *Access) Hashed() int64 { return a.hashing.done.Load() }
