"""What every part of /v1 is built from: exact JSON, strict inputs, money fields, keyset pages.

Leaf code over Django REST framework: nothing here knows an app.
"""
