package access

// CheapHashing makes passwords cheap to hash, so that tests of everything else are quick.
func (a *Access) CheapHashing() { a.hashing = newHashing(argonCost{memory: 8, passes: 1, lanes: 1}) }

// DearerHashing raises the cost, as a later version of the house might.
func (a *Access) DearerHashing() { a.hashing = newHashing(argonCost{memory: 16, passes: 1, lanes: 1}) }

// Hashed is how many passwords were hashed so far.
func (a *Access) Hashed() int64 { return a.hashing.done.Load() }
