/* What starting any process costs on this machine. */
int main(void)
{
    return 0;
}
