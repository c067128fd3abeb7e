module walk

go 1.19

require github.com/aidocumines/documines-auth-go v0.0.0

replace github.com/aidocumines/documines-auth-go => ../documines-auth-go
