"""Survey answers: hosted page, signed webhook, REST, file import; promoter, passive, detractor; NPS with its n."""
