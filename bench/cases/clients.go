package cases

// clientSDKs lets the SDKs of clients call a running Weir in every scenario. In short only those of Go, which need nothing
// installed: CI has a step of its own for all of them.
func clientSDKs(s *Settings) ([]Bar, error) {
	if err := exists(s, "test/conformance"); err != nil {
		return nil, err
	}
	var env []string
	if s.Short {
		env = []string{"WEIR_SDKS=go"}
	}
	r, err := run(s, env, "go", "test", "-C", "test/conformance", "-count=1", "-v", "-run", "TestSDKMatrix", ".")
	if err != nil {
		return nil, err
	}
	return outcome("SDK matrix", r), nil
}
